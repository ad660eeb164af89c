import type { Signals } from '../../core/types.ts';

/** What the image tower makes of a picture, in full precision. */
export interface PictureFeatures {
  /** [embeddingDim], L2-normalised. */
  readonly embedding: Float32Array;
  readonly ocrPresence: number | undefined;
}

/** A loaded bundle as evaluation needs it. `F` also carries what its cross-encoder reads. */
export interface EvaluatedModel<F extends PictureFeatures = PictureFeatures> {
  readonly name: string;
  readonly hash: string;
  readonly embeddingDim: number;
  /** Whether `crossScore` gives anything. */
  readonly hasCrossEncoder: boolean;
  /** One embedding per text, [embeddingDim] each, L2-normalised. */
  encodeTexts(texts: readonly string[]): Promise<Float32Array[]>;
  encodePicture(bytes: Uint8Array): Promise<F>;
  /** A picture of the mean colour, which is what the authors of CBVS put in the place of one that cannot be had. */
  encodeBlank(): Promise<F>;
  crossScore(text: string, pictures: readonly F[]): Promise<readonly Signals[]>;
}
