import type { ImageTokens } from '../core/types.ts';
import type { CoverStore } from './cover-store.ts';
import { type TokenShape, tokenBytes, viewTokens } from './record-codec.ts';

/**
 * Image tokens by cover id, in order; undefined where a cover has none. Damaged ones are none either, and are told to
 * `onDamage`: the cover is still found, without being reranked.
 */
export function createTokenReader(store: CoverStore, shape: TokenShape | null, onDamage: (error: Error) => void) {
  function stored(id: string): Uint8Array | undefined {
    try {
      const label = store.labelOf(id);
      return label === undefined ? undefined : store.tokens(label);
    } catch (error) {
      onDamage(error as Error);
      return undefined;
    }
  }

  /** All of them in one buffer, so that they can be moved to another thread together. */
  return (ids: readonly string[]): readonly (ImageTokens | undefined)[] => {
    if (shape === null) return ids.map(() => undefined);
    const size = tokenBytes(shape);
    // Each cover's scales start at a multiple of four bytes.
    const stride = Math.ceil(size / 4) * 4;
    // Not zeroed, unlike `new ArrayBuffer`: what is not filled below is not seen.
    const { buffer } = Buffer.allocUnsafeSlow(ids.length * stride);
    const bytes = new Uint8Array(buffer);
    return ids.map((id, i) => {
      const tokens = stored(id);
      if (tokens === undefined || tokens.length !== size) return undefined;
      bytes.set(tokens, i * stride);
      return viewTokens(buffer, i * stride, shape);
    });
  };
}
