import { inspect } from 'node:util';
import { createDice } from './dice.ts';
import { exchange } from './exchange.ts';
import type { InputKind } from './input.ts';
import { bodies } from './inputs/bodies.ts';
import { filters } from './inputs/filters.ts';
import { headers } from './inputs/headers.ts';
import { ids } from './inputs/ids.ts';
import { pictures } from './inputs/pictures.ts';
import { faultOf } from './judge.ts';
import { startVictim } from './victim.ts';

export interface HostileOptions {
  readonly inputs: number;
  readonly seed: number;
  /** Number of the first input: one that did harm can be made again alone. */
  readonly first?: number;
  readonly onProgress?: (done: number) => void;
}

export interface HostileReport {
  /** By kind of input: how many there were, and their answers by status. */
  readonly kinds: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** What should not have happened, with the number of the input. */
  readonly faults: readonly string[];
}

const KINDS: Readonly<Record<string, InputKind>> = { bodies, pictures, ids, filters, headers };
/** Enough that they meet each other, little enough that hardly any is refused for that. */
const AT_ONCE = 6;
/** Between two looks at the service itself. */
const ROUND = 250;
const MAX_FAULTS = 50;

/** Sends inputs to a service of its own and watches what becomes of it. */
export async function runHostile({ inputs, seed, first = 0, onProgress }: HostileOptions): Promise<HostileReport> {
  const kinds: Record<string, Record<string, number>> = {};
  const faults: string[] = [];
  const victim = await startVictim();

  async function send(number: number): Promise<void> {
    const [kind, make] = Object.entries(KINDS)[number % Object.keys(KINDS).length] as [string, InputKind];
    const input = make(createDice(seed + number * 7919));
    const answer = await exchange(victim.port, input.bytes, input.method === '');
    const counts = kinds[kind] ?? {};
    kinds[kind] = counts;
    const status = answer.status === 0 ? 'closed' : String(answer.status);
    counts[status] = (counts[status] ?? 0) + 1;
    const fault = faultOf(input, answer, victim.root);
    if (fault !== undefined) faults.push(`${number} (${kind}, ${input.name}, ${input.method} ${input.path}): ${fault}`);
  }

  try {
    const end = first + inputs;
    for (let start = first; start < end && faults.length < MAX_FAULTS; start += ROUND) {
      let next = start;
      const until = Math.min(end, start + ROUND);
      const worker = async (): Promise<void> => {
        while (next < until) await send(next++);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      for (const harm of await victim.harm()) faults.push(`between ${start} and ${until}: ${harm}`);
      onProgress?.(until - first);
    }
  } catch (error) {
    faults.push(`the run ended early: ${inspect(error)}`);
  } finally {
    for (const line of victim.logged.slice(0, MAX_FAULTS)) faults.push(`logged: ${line.slice(0, 500)}`);
    await victim.close();
  }
  return { kinds, faults };
}
