import type { ServiceClient } from './client.ts';
import { unreadableAnswer } from './service-error.ts';
import type { Grade, Judgement } from './types.ts';

/** Grade by cover id. */
export type Grades = ReadonlyMap<string, Grade>;

export async function gradesOf(client: ServiceClient, query: string, signal?: AbortSignal): Promise<Grades> {
  const { judgements } = await client.call<{ judgements: Judgement[] }>('GET', '/judgements', {
    query: { query },
    signal,
  });
  return new Map(judgements.map(({ id, grade }) => [id, grade as Grade]));
}

/** All grades by query. The export has no limit, unlike the list. */
export async function allGrades(client: ServiceClient, signal?: AbortSignal): Promise<ReadonlyMap<string, Grades>> {
  const file = await client.bytes('/judgements/export', { query: { format: 'json' }, signal });
  const byQuery = new Map<string, Map<string, Grade>>();
  for (const line of (await file.text()).split('\n')) {
    if (line === '') continue;
    const { query, id, grade } = judgementOf(line);
    const grades = byQuery.get(query) ?? new Map<string, Grade>();
    byQuery.set(query, grades.set(id, grade));
  }
  return byQuery;
}

function judgementOf(line: string): { readonly query: string; readonly id: string; readonly grade: Grade } {
  try {
    return JSON.parse(line) as ReturnType<typeof judgementOf>;
  } catch {
    throw unreadableAnswer();
  }
}
