import type { Dice } from './dice.ts';

/** One thing to do to the service: bytes for a connection of its own. */
export interface HostileInput {
  /** What was done to it, for the report. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly bytes: Buffer;
  /** Statuses that are right; without it any that are not the service's own fault. */
  readonly expected?: readonly number[];
}

/** Makes inputs of one kind, each from what the dice say. */
export type InputKind = (dice: Dice) => HostileInput;

export interface RequestParts {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: readonly string[];
  readonly body?: Buffer;
  readonly expected?: readonly number[];
}

/** A request in right form around whatever is in it. */
export function request({ name, method, path, headers = [], body, expected }: RequestParts): HostileInput {
  const length = body === undefined ? [] : [`content-length: ${body.length}`];
  const lines = [`${method} ${path} HTTP/1.1`, 'host: service', 'connection: close', ...length, ...headers];
  // latin1: a byte above 127 in a path or header goes out as it is.
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  const bytes = body === undefined ? head : Buffer.concat([head, body]);
  return { name, method, path, bytes, ...(expected === undefined ? {} : { expected }) };
}

export const JSON_TYPE = 'content-type: application/json';
export const NDJSON_TYPE = 'content-type: application/x-ndjson';

export function post(name: string, path: string, body: Buffer | string | object, type = JSON_TYPE): HostileInput {
  return withBody({ name, method: 'POST', path }, body, type);
}

/** A body as bytes, as text, or as a value to be written as JSON. */
export function withBody(parts: RequestParts, body: Buffer | string | object, type = JSON_TYPE): HostileInput {
  const text = typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body;
  return request({ ...parts, headers: [type], body: Buffer.from(text) });
}
