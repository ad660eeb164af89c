import type { Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { ServiceClient } from './service/client.ts';
import type { Health } from './service/health.ts';
import type { KeyHolder } from './service/key.ts';
import type { Thumbnails } from './service/thumbnails.ts';
import type { Settings } from './service/types.ts';
import type { ViewStates } from './view-states.ts';

/** What every view works with. */
export interface Console {
  readonly client: ServiceClient;
  readonly keys: KeyHolder;
  readonly health: Health;
  readonly thumbnails: Thumbnails;
  /** What the service offers; undefined until it told. */
  readonly settings: Signal<Settings | undefined>;
  readonly states: ViewStates;
  /** Says something to those who hear the page rather than see it. */
  announce(message: string): void;
}

export const ConsoleContext = createContext<Console | undefined>(undefined);

export function useConsole(): Console {
  const console = useContext(ConsoleContext);
  if (console === undefined) throw new Error('a view is shown outside the console');
  return console;
}
