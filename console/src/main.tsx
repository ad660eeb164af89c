import { effect, signal } from '@preact/signals';
import { render } from 'preact';
import { App } from './app.tsx';
import { ConsoleContext } from './console-context.ts';
import { startLanguage } from './language/language.ts';
import { startRouting } from './route.ts';
import { createServiceClient } from './service/client.ts';
import { watchHealth } from './service/health.ts';
import { createKeyHolder } from './service/key.ts';
import { createThumbnails } from './service/thumbnails.ts';
import type { Settings } from './service/types.ts';
import { startTheme } from './theme.ts';
import { createViewStates } from './view-states.ts';

startTheme();
startLanguage();
startRouting();

const keys = createKeyHolder(sessionStorage);
const client = createServiceClient(keys);
const health = watchHealth();
const thumbnails = createThumbnails(client);
const settings = signal<Settings | undefined>(undefined);
const states = createViewStates(client, settings);
/** Numbered, so that the same words are said again when they come again. */
const announced = signal({ number: 0, message: '' });

effect(() => {
  // Another key may see what the one before could not.
  if (keys.key.value !== undefined) thumbnails.clear();
});
effect(() => {
  if (health.state.value !== 'ready' || keys.key.value === undefined) return;
  // What is wrong with the key the views say themselves.
  client.call<Settings>('GET', '/settings').then(
    (told) => {
      settings.value = told;
    },
    () => {},
  );
});

function announce(message: string): void {
  announced.value = { number: announced.peek().number + 1, message };
}

/** Each announcement is an element of its own: text that is replaced by the same text is not read out. */
function Announcer() {
  const { number, message } = announced.value;
  return (
    <div class="unseen" aria-live="polite">
      <span key={number}>{message}</span>
    </div>
  );
}

render(
  <ConsoleContext.Provider value={{ client, keys, health, thumbnails, settings, states, announce }}>
    <App />
    <Announcer />
  </ConsoleContext.Provider>,
  document.getElementById('console') as HTMLElement,
);
