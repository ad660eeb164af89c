import type { Answer } from './exchange.ts';
import type { HostileInput } from './input.ts';

/** Words of the inside: paths of the code, stack frames, names of libraries and of errors of the system. */
const INSIDE =
  /node_modules|dist\/src|\n\s+at |ENOENT|EACCES|ECONNREFUSED|MDB_|VipsForeign|libvips|undici|TypeError|RangeError/;

/** What is wrong with the answer, undefined where nothing is. `root` is the folder that the service lives in. */
export function faultOf(input: HostileInput, answer: Answer, root: string): string | undefined {
  const { status, contentType, body } = answer;
  if (answer.hung) return 'no answer';
  if (status === 0) return input.method === '' ? undefined : 'the connection was closed without an answer';
  if (input.expected !== undefined && !input.expected.includes(status)) return `answered ${status}`;
  if (input.expected !== undefined && answer.answers > 1) return `answered ${answer.answers} times`;
  if (!isAllowed(status, input)) return `answered ${status}: ${body.slice(0, 200)}`;
  if (body.includes('"code":"internal"')) return `an item failed for reasons of the service: ${body.slice(0, 300)}`;
  if (INSIDE.test(body) || body.includes(root)) return `tells of its inside: ${INSIDE.exec(body)?.[0] ?? root}`;
  // Node refuses some requests by itself, without a word.
  if (body === '' && input.method === '') return undefined;
  if (status >= 400 && input.method !== 'HEAD') return problemFault(status, contentType, body);
  return undefined;
}

function isAllowed(status: number, { path }: HostileInput): boolean {
  if (status < 500) return true;
  return status === 503 || status === 507 || (status === 504 && /^\/(?:rank|score|embed)/.test(path));
}

function problemFault(status: number, contentType: string, body: string): string | undefined {
  if (!contentType.startsWith('application/problem+json')) return `${status} as ${contentType}`;
  try {
    const problem = JSON.parse(body) as { status?: unknown; code?: unknown };
    return problem.status === status && typeof problem.code === 'string' ? undefined : `${status} with ${body}`;
  } catch {
    return `${status} with a body that is no JSON: ${body.slice(0, 200)}`;
  }
}
