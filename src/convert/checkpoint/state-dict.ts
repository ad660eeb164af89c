import { failure } from '../../core/errors.ts';
import { TensorReference } from './tensor-reference.ts';

/** Tensors by the name they are saved under, and the names of entries that are none. */
export interface StateDict {
  readonly tensors: ReadonlyMap<string, TensorReference>;
  readonly others: readonly string[];
}

/** Names under which training scripts put the weights beside epoch, optimizer and arguments. */
const WRAPPERS = ['state_dict', 'model_state_dict', 'model', 'module', 'net', 'network', 'ema', 'state_dict_ema'];
const MAX_WRAPPING = 4;

/** Prefixes that DistributedDataParallel and torch.compile put before every name. */
const PREFIXES = ['module.', '_orig_mod.'];

/**
 * Finds the state dict in an unpickled checkpoint. Where a list of state dicts was saved, their names begin with the
 * place in the list: `0.`, `1.`, … Throws `invalid_checkpoint` when there is none.
 */
export function findStateDict(root: unknown): StateDict {
  let candidate = asDict(root);
  for (let depth = 0; depth < MAX_WRAPPING && candidate instanceof Map; depth++) {
    const inner = unwrap(candidate);
    if (inner === undefined) return splitEntries(candidate);
    candidate = inner;
  }
  if (candidate instanceof Map && unwrap(candidate) === undefined) return splitEntries(candidate);
  throw failure('invalid_checkpoint', 'The checkpoint holds no state dict: what was saved is not a dict of tensors.');
}

/** The name without the prefixes of the wrappers that it was trained in. */
export function stripPrefixes(name: string): string {
  let stripped = name;
  for (let found = true; found; ) {
    const prefix = PREFIXES.find((candidate) => stripped.startsWith(candidate));
    found = prefix !== undefined;
    if (prefix !== undefined) stripped = stripped.slice(prefix.length);
  }
  return stripped;
}

function asDict(value: unknown): unknown {
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => item instanceof Map)) return value;
  const joined = new Map<unknown, unknown>();
  for (const [index, dict] of value.entries()) {
    for (const [name, item] of dict as Map<unknown, unknown>) {
      joined.set(typeof name === 'string' ? `${index}.${name}` : name, item);
    }
  }
  return joined;
}

function unwrap(dict: ReadonlyMap<unknown, unknown>): ReadonlyMap<unknown, unknown> | undefined {
  for (const wrapper of WRAPPERS) {
    const inner = asDict(dict.get(wrapper));
    if (inner instanceof Map && inner.size > 0) return inner;
  }
  return undefined;
}

function splitEntries(dict: ReadonlyMap<unknown, unknown>): StateDict {
  const tensors = new Map<string, TensorReference>();
  const others: string[] = [];
  for (const [name, value] of dict) {
    if (typeof name === 'string' && value instanceof TensorReference) tensors.set(name, value);
    else others.push(typeof name === 'string' ? name : '(an entry without a name)');
  }
  if (tensors.size === 0) {
    const seen = others.slice(0, 8).join(', ') || 'nothing';
    throw failure(
      'invalid_checkpoint',
      `The checkpoint holds no tensors where its state dict should be; seen: ${seen}.`,
    );
  }
  return { tensors, others };
}
