import { failure } from '../../../core/errors.ts';
import { type IndexItem, parseItem, type RejectedItem, rejectedItem } from '../../../indexing/item.ts';
import { type JsonSource, parseJson } from '../../json-source.ts';
import { LIMITS } from '../../limits.ts';

/** An item as it goes to the indexer: checked, its picture decoded. */
export type ParsedItem = IndexItem | RejectedItem;

/**
 * The JSON body of /index with its items parsed, small enough to be validated wherever it is: what the schema refuses
 * anyway is cut down to the part that makes it refuse. Throws `invalid_request` for what is not JSON in UTF-8.
 */
export function parseEnvelope({ bytes, maxImageBytes }: JsonSource): unknown {
  if (bytes.length === 0) throw failure('invalid_request', 'The body is empty.');
  const json = parseJson(bytes, 'The body');
  if (typeof json !== 'object' || json === null) return null;
  if (Array.isArray(json)) return [];
  const { items, wait, ...unknown } = json as Record<string, unknown>;
  const [unknownName] = Object.keys(unknown);
  return {
    ...(items === undefined ? {} : { items: parseItems(items, maxImageBytes) }),
    ...(wait === undefined ? {} : { wait: typeof wait === 'boolean' ? wait : null }),
    ...(unknownName === undefined ? {} : { [unknownName.slice(0, LIMITS.filterValueCharacters)]: null }),
  };
}

/** Whether the envelope has a list of as many items as are allowed; with more it holds nothing in their places. */
export function hasItems(envelope: unknown): envelope is { readonly items: readonly ParsedItem[] } {
  const items = (envelope as { items?: unknown } | null)?.items;
  return Array.isArray(items) && items.length <= LIMITS.indexItems;
}

/** One line of NDJSON; what is wrong with it is a rejected item. */
export function parseLine({ bytes, maxImageBytes }: JsonSource): ParsedItem {
  try {
    return parseItem(parseJson(bytes, 'The line'), { maxImageBytes });
  } catch (cause) {
    return rejectedItem(failure('invalid_request', 'The line is not valid JSON in UTF-8.', { cause }));
  }
}

function parseItems(items: unknown, maxImageBytes: number): unknown {
  if (!Array.isArray(items)) return null;
  if (items.length > LIMITS.indexItems) return new Array(LIMITS.indexItems + 1).fill(null);
  return items.map((item) => parseItem(item, { maxImageBytes }));
}
