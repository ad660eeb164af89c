/** Colour statistics of CLIP's training data, of values in 0..1, which all of its descendants keep. */
export const CLIP_COLOURS = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const;
