import { failure } from '../../core/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { stripPrefixes } from '../checkpoint/state-dict.ts';
import type { Architecture } from './architecture.ts';

/** Roots of names that a message lists. */
const MAX_ROOTS = 24;

/** What is there, which family comes nearest, and what that one would need. */
export function unrecognised(checkpoint: Checkpoint, candidates: readonly Architecture[]): Error {
  const names = checkpoint.names.map(stripPrefixes);
  const roots = [...new Set(names.map((name) => name.split('.').slice(0, 2).join('.')))];
  const seen = `${roots.slice(0, MAX_ROOTS).join(', ')}${roots.length > MAX_ROOTS ? ', …' : ''}`;
  const models = candidates.flatMap((candidate) => candidate.models);
  return failure(
    'invalid_checkpoint',
    `The architecture is not recognised: this is no ${listed(models)} model. Its ${names.length} tensors are under ${seen}. ` +
      describeNearest(names, candidates),
  );
}

function describeNearest(names: readonly string[], candidates: readonly Architecture[]): string {
  const endings = new Set(names.map(withoutRoot));
  // The same tensor under another root counts half: another library's spelling of a model of the kind.
  const nearness = ({ marks }: Architecture): number =>
    marks.reduce((sum, mark) => sum + (names.includes(mark) ? 1 : endings.has(withoutRoot(mark)) ? 0.5 : 0), 0);
  const [nearest] = [...candidates].sort((a, b) => nearness(b) - nearness(a));
  if (nearest === undefined || nearness(nearest) === 0) return 'None of the known models is near.';
  const lacks = nearest.marks.filter((mark) => !names.includes(mark));
  return `Nearest is ${listed(nearest.models)}, for which it lacks ${lacks.join(', ')}.`;
}

/** A name of one part alone is common to too many models to say anything. */
function withoutRoot(name: string): string {
  const rest = name.slice(name.indexOf('.') + 1);
  return rest.includes('.') ? rest : name;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
