import type { Thumbnail } from '../../../core/types.ts';
import type { ShownCover, ShownQuery } from '../ranked-queries.ts';
import { escapeHtml } from './escape.ts';
import { formatFigure, formatGain } from './format.ts';

/** Pictures by cover id; covers without one are shown by their id alone. */
export type Thumbnails = ReadonlyMap<string, Thumbnail>;

/** All pictures of a page together: it has to open in a browser and pass as an attachment. */
export const MAX_THUMBNAIL_BYTES = 6 * 1024 * 1024;

/** Queries with their covers side by side, in one order below the other. */
export function queryCards(
  queries: readonly ShownQuery[],
  figureOf: (query: ShownQuery) => string,
  thumbnails: Thumbnails,
): string {
  return queries.map((query) => queryCard(query, figureOf(query), thumbnails)).join('');
}

/** The figure of a query under two systems. */
export function changeOf(metric: string): (query: ShownQuery) => string {
  return ({ before, after, change }) =>
    `${metric} ${formatFigure(before)} → ${formatFigure(after)} (${formatGain(change)})`;
}

/** The style of the pictures: each stands in the page once, however often its cover is shown. */
export function thumbnailStyles(thumbnails: Thumbnails): string {
  return [...thumbnails.values()]
    .map(
      ({ bytes, contentType }, number) =>
        `.t${number}{background-image:url(data:${contentType};base64,${Buffer.from(bytes).toString('base64')})}`,
    )
    .join('\n');
}

/** Ids of the covers that some list of queries shows, each once, those of the first queries first. */
export function shownCovers(...lists: readonly (readonly ShownQuery[])[]): string[] {
  return [...new Set(lists.flat().flatMap(({ orders }) => orders.flatMap(({ covers }) => covers.map(({ id }) => id))))];
}

function queryCard({ query, orders }: ShownQuery, figure: string, thumbnails: Thumbnails): string {
  const rows = orders.map(
    ({ name, covers }) =>
      `<div class="order"><span class="order-name">${escapeHtml(name)}</span>` +
      `<ol class="covers">${covers.map((cover) => coverItem(cover, thumbnails)).join('')}</ol></div>`,
  );
  return `<article class="query"><h3>${escapeHtml(query)} <span class="quiet">${escapeHtml(figure)}</span></h3>${rows.join('')}</article>`;
}

function coverItem({ id, label, score }: ShownCover, thumbnails: Thumbnails): string {
  const number = [...thumbnails.keys()].indexOf(id);
  const picture =
    number === -1
      ? `<span class="picture missing">${escapeHtml(id)}</span>`
      : `<span class="picture t${number}" role="img" aria-label="${escapeHtml(id)}"></span>`;
  return (
    `<li title="${escapeHtml(id)}">${picture}<span class="label l${label}">${label}</span>` +
    `<span class="score">${formatFigure(score)}</span></li>`
  );
}
