/** Signals in the order in which they get a colour; others take the colours that are left. */
const KNOWN = ['cosine', 'itm', 'ocr_match', 'ocr_presence', 'ocr_semantic', 'itm_text', 'itm_image'];
const COLOURS = 7;

/** Class of a signal's colour: the same signal looks the same everywhere. */
export function signalClass(signal: string): string {
  const known = KNOWN.indexOf(signal);
  const number = known >= 0 ? known : [...signal].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % COLOURS;
  return `signal-${number}`;
}
