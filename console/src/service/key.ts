import { signal } from '@preact/signals';

const KEPT_AS = 'coverrank.key';
/** What a header can hold: Latin-1 without its control characters. */
const SENDABLE = /^[\x20-\x7e\xa0-\xff]*$/;

export interface KeyHolder {
  /** Empty where none is set. */
  readonly key: { readonly value: string };
  /** False, and nothing changes, for a key that no request could carry. */
  use(key: string): boolean;
}

/** Session storage, as far as it is needed. */
export interface KeyStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/** The key of this tab. Session storage: it is gone with the tab, and no other tab sees it. */
export function createKeyHolder(storage: KeyStorage): KeyHolder {
  const key = signal(storage.getItem(KEPT_AS) ?? '');
  return {
    key,
    use(given) {
      const wanted = given.trim();
      if (!SENDABLE.test(wanted)) return false;
      key.value = wanted;
      if (key.value === '') storage.removeItem(KEPT_AS);
      else storage.setItem(KEPT_AS, key.value);
      return true;
    },
  };
}
