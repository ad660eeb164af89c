import type { ServiceClient } from './client.ts';

/** Pictures of covers as addresses that an <img> can show: it cannot send a key by itself. */
export interface Thumbnails {
  /** Resolves with undefined where the cover has no picture here. */
  of(id: string): Promise<string | undefined>;
  /** Forgets all of them: after a change of the key, say. */
  clear(): void;
}

const KEPT = 600;

export function createThumbnails(client: ServiceClient): Thumbnails {
  const kept = new Map<string, Promise<string | undefined>>();

  async function load(id: string): Promise<string | undefined> {
    try {
      return URL.createObjectURL(await client.bytes(`/covers/${encodeURIComponent(id)}/image`));
    } catch {
      kept.delete(id);
      return undefined;
    }
  }

  function forgetOldest(): void {
    const [oldest] = kept;
    if (oldest === undefined) return;
    kept.delete(oldest[0]);
    void oldest[1].then((address) => address !== undefined && URL.revokeObjectURL(address));
  }

  return {
    of(id) {
      const picture = kept.get(id) ?? load(id);
      kept.delete(id);
      kept.set(id, picture);
      if (kept.size > KEPT) forgetOldest();
      return picture;
    },
    clear() {
      while (kept.size > 0) forgetOldest();
    },
  };
}
