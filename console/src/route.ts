import { signal } from '@preact/signals';

export const VIEWS = ['search', 'compare', 'judge', 'explain', 'covers'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  readonly view: View;
  readonly params: URLSearchParams;
}

/** What the address says after `#/`, so that a view can be linked to and the back button works. */
export const route = signal<Route>({ view: 'search', params: new URLSearchParams() });

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  return { view: VIEWS.find((view) => view === path) ?? 'search', params: new URLSearchParams(query) };
}

export function linkTo(view: View, params: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(params).toString();
  return `#/${view}${query === '' ? '' : `?${query}`}`;
}

export function startRouting(): void {
  const read = (): void => {
    route.value = parseRoute(location.hash);
  };
  addEventListener('hashchange', read);
  read();
}

/** Keeps what is shown in the address, without a new entry for each letter that is typed. */
export function keepInAddress(view: View, params: Readonly<Record<string, string>>): void {
  if (route.peek().view === view) history.replaceState(null, '', linkTo(view, params));
}
