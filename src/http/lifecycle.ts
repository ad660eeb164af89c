import { failure } from '../core/errors.ts';
import type { AppServices, HealthPart } from './app-services.ts';

/**
 * Where the service stands between start and end. The application listens from the first moment, so that probes get an
 * answer while models load; requests reach the services only in state `ready`.
 */
export interface Lifecycle {
  readonly state: LifecycleState;
  /** Throws `unavailable` while starting and `draining` while shutting down. */
  services(): AppServices;
  /** The services whatever the state, for those who only look; undefined until they are there. */
  peek(): AppServices | undefined;
  ready(services: AppServices): void;
  drain(): void;
  /** The state and every part, as /readyz tells it. */
  health(): { readonly ready: boolean; readonly parts: readonly HealthPart[] };
}

export type LifecycleState = 'starting' | 'ready' | 'draining';

export function createLifecycle(): Lifecycle {
  let state: LifecycleState = 'starting';
  let services: AppServices | undefined;

  return {
    get state() {
      return state;
    },
    services() {
      if (state === 'draining') {
        throw failure('draining', 'The service is shutting down; ask another instance.');
      }
      if (services === undefined) {
        throw failure('unavailable', 'The service is starting; its models are not loaded yet.');
      }
      return services;
    },
    peek: () => services,
    ready(opened) {
      services = opened;
      if (state === 'starting') state = 'ready';
    },
    drain() {
      state = 'draining';
    },
    health() {
      const parts = services?.health() ?? [];
      return { ready: state === 'ready' && parts.every((part) => part.ready || !part.required), parts };
    },
  };
}
