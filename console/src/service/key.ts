import { signal } from '@preact/signals';

const KEPT_AS = 'coverrank.key';

export interface KeyHolder {
  /** Empty where none is set. */
  readonly key: { readonly value: string };
  use(key: string): void;
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
      key.value = given.trim();
      if (key.value === '') storage.removeItem(KEPT_AS);
      else storage.setItem(KEPT_AS, key.value);
    },
  };
}
