import { signal } from '@preact/signals';

/** `looking`: before the first answer. */
export type HealthState = 'looking' | 'ready' | 'starting' | 'draining' | 'down';

export interface Part {
  readonly name: string;
  readonly ready: boolean;
  readonly required: boolean;
  readonly detail: string;
}

export interface Health {
  readonly state: { readonly value: HealthState };
  readonly parts: { readonly value: readonly Part[] };
  /** Looks now instead of at the next turn. */
  look(): Promise<void>;
}

const WHEN_READY_MS = 10_000;
const WHEN_NOT_MS = 2_000;

/** Looks at /readyz again and again, which needs no key: every few seconds, and more often while something is wrong. */
export function watchHealth(): Health {
  const state = signal<HealthState>('looking');
  const parts = signal<readonly Part[]>([]);
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function look(): Promise<void> {
    clearTimeout(timer);
    try {
      const response = await fetch('/readyz?verbose=1');
      const body = (await response.json()) as { code?: string; parts?: readonly Part[] };
      parts.value = body.parts ?? [];
      state.value = response.ok ? 'ready' : body.code === 'draining' ? 'draining' : 'starting';
    } catch {
      state.value = 'down';
    }
    timer = setTimeout(() => void look(), state.value === 'ready' ? WHEN_READY_MS : WHEN_NOT_MS);
  }

  void look();
  return { state, parts, look };
}
