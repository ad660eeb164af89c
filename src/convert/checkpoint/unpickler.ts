import { failure } from '../../core/errors.ts';
import { OpaqueValue, type PickleGlobal, resolveGlobal, resolvePersistentId } from './pickle-globals.ts';
import { createPickleReader, type PickleReader } from './pickle-reader.ts';
import { type StorageReference, TensorReference } from './tensor-reference.ts';

/**
 * A machine for the pickles that torch.save writes (protocols 2 to 5). It builds plain data: dict → Map, list and
 * tuple → array, set → Set, None → null, and what pickle-globals.ts allows. It never calls anything foreign, and every
 * opcode does a bounded amount of work, so that a hostile pickle costs at most its own length.
 *
 * Values may refer to each other in cycles; who walks them has to bound the depth.
 */

/** Opcodes, and elements that calls of known globals go through. */
const MAX_STEPS = 20_000_000;
const MAX_STACK = 1_000_000;

/** Delimits the items that a later opcode collects. */
const MARK = Symbol('mark');

interface Machine {
  readonly reader: PickleReader;
  readonly stack: unknown[];
  /** Positions of the marks in the stack; searching for them would make nested marks quadratic. */
  readonly marks: number[];
  readonly memo: Map<number, unknown>;
  readonly storages: Map<string, StorageReference>;
  steps: number;
  result: { readonly value: unknown } | undefined;
}

type Operation = (machine: Machine) => void;

/** A pickle that was read. */
export interface Unpickled {
  readonly value: unknown;
  /** Storages that any part of it refers to, by key. */
  readonly storages: ReadonlyMap<string, StorageReference>;
  /** The byte behind it. */
  readonly end: number;
}

/** Throws `invalid_checkpoint` for anything but a well-formed pickle of allowed values. */
export function unpickle(bytes: Buffer): unknown {
  return unpickleNext(bytes, 0).value;
}

/** Reads the pickle that begins at `start`. Throws as `unpickle` does. */
export function unpickleNext(bytes: Buffer, start: number): Unpickled {
  const machine: Machine = {
    reader: createPickleReader(bytes.subarray(start)),
    stack: [],
    marks: [],
    memo: new Map(),
    storages: new Map(),
    steps: 0,
    result: undefined,
  };
  for (; machine.result === undefined; machine.steps++) {
    if (machine.steps > MAX_STEPS || machine.stack.length > MAX_STACK)
      malformed('it is larger than any checkpoint needs');
    const position = machine.reader.position();
    const opcode = machine.reader.u8();
    const operation = OPERATIONS[opcode];
    if (operation === undefined) malformed(`unknown opcode 0x${opcode.toString(16)} at byte ${position}`);
    operation(machine);
  }
  const end = start + machine.reader.position();
  return { value: machine.result.value, storages: machine.storages, end };
}

const code = (character: string): number => character.charCodeAt(0);

const OPERATIONS: Readonly<Record<number, Operation>> = {
  [0x80]: ({ reader }) => {
    const protocol = reader.u8();
    if (protocol < 2 || protocol > 5) malformed(`protocol ${protocol} is not supported`);
  },
  // FRAME: its length only helps readers that buffer.
  [0x95]: ({ reader }) => void reader.u64(),
  [code('.')]: (machine) => {
    machine.result = { value: pop(machine) };
  },

  // Stack
  [code('(')]: (machine) => {
    machine.marks.push(machine.stack.length);
    machine.stack.push(MARK);
  },
  [code('0')]: (machine) => {
    if (machine.stack.at(-1) === MARK) popMark(machine);
    else pop(machine);
  },
  [code('1')]: (machine) => void popMark(machine),
  [code('2')]: (machine) => push(machine, top(machine)),

  // Memo
  [code('q')]: (machine) => void machine.memo.set(machine.reader.u8(), top(machine)),
  [code('r')]: (machine) => void machine.memo.set(machine.reader.u32(), top(machine)),
  [0x94]: (machine) => void machine.memo.set(machine.memo.size, top(machine)),
  [code('h')]: (machine) => push(machine, recall(machine, machine.reader.u8())),
  [code('j')]: (machine) => push(machine, recall(machine, machine.reader.u32())),

  // Constants and numbers
  [code('N')]: (machine) => push(machine, null),
  [0x88]: (machine) => push(machine, true),
  [0x89]: (machine) => push(machine, false),
  [code('K')]: (machine) => push(machine, machine.reader.u8()),
  [code('M')]: (machine) => push(machine, machine.reader.u16()),
  [code('J')]: (machine) => push(machine, machine.reader.i32()),
  [0x8a]: (machine) => push(machine, machine.reader.long(machine.reader.u8())),
  [0x8b]: (machine) => push(machine, machine.reader.long(machine.reader.u32())),
  [code('G')]: (machine) => push(machine, machine.reader.f64()),

  // Text and bytes
  [0x8c]: (machine) => push(machine, machine.reader.text(machine.reader.u8(), 'utf8')),
  [code('X')]: (machine) => push(machine, machine.reader.text(machine.reader.u32(), 'utf8')),
  [0x8d]: (machine) => push(machine, machine.reader.text(machine.reader.u64(), 'utf8')),
  [code('U')]: (machine) => push(machine, machine.reader.text(machine.reader.u8(), 'latin1')),
  [code('T')]: (machine) => push(machine, machine.reader.text(machine.reader.u32(), 'latin1')),
  [code('C')]: (machine) => push(machine, machine.reader.bytes(machine.reader.u8())),
  [code('B')]: (machine) => push(machine, machine.reader.bytes(machine.reader.u32())),
  [0x8e]: (machine) => push(machine, machine.reader.bytes(machine.reader.u64())),
  [0x96]: (machine) => push(machine, machine.reader.bytes(machine.reader.u64())),

  // Tuples and lists
  [code(')')]: (machine) => push(machine, []),
  [0x85]: (machine) => push(machine, popMany(machine, 1)),
  [0x86]: (machine) => push(machine, popMany(machine, 2)),
  [0x87]: (machine) => push(machine, popMany(machine, 3)),
  [code('t')]: (machine) => push(machine, popMark(machine)),
  [code(']')]: (machine) => push(machine, []),
  [code('l')]: (machine) => push(machine, popMark(machine)),
  [code('a')]: (machine) => append(machine, [pop(machine)]),
  [code('e')]: (machine) => append(machine, popMark(machine)),

  // Dicts and sets
  [code('}')]: (machine) => push(machine, new Map()),
  [code('d')]: (machine) => {
    const items = popMark(machine);
    push(machine, new Map());
    setItems(machine, items);
  },
  [code('s')]: (machine) => setItems(machine, popMany(machine, 2)),
  [code('u')]: (machine) => setItems(machine, popMark(machine)),
  [0x8f]: (machine) => push(machine, new Set()),
  [0x90]: (machine) => {
    const items = popMark(machine);
    const set = top(machine);
    if (!(set instanceof Set)) malformed('items are added to something that is no set');
    for (const item of items) set.add(item);
  },
  [0x91]: (machine) => push(machine, new Set(popMark(machine))),

  // Globals and the calls of them
  [code('c')]: (machine) => push(machine, resolveGlobal(machine.reader.line(), machine.reader.line())),
  [0x93]: (machine) => {
    const [module, name] = popMany(machine, 2);
    if (typeof module !== 'string' || typeof name !== 'string') malformed('a global has no name');
    push(machine, resolveGlobal(module, name));
  },
  [code('R')]: call,
  [0x81]: call,
  [0x92]: (machine) => {
    pop(machine);
    call(machine);
  },
  [code('b')]: build,
  [code('Q')]: (machine) => {
    const storage = resolvePersistentId(pop(machine));
    assertSame(machine.storages.get(storage.key) ?? storage, storage);
    machine.storages.set(storage.key, storage);
    push(machine, storage);
  },
};

/** REDUCE and NEWOBJ: both make a value from a global and its arguments. */
function call(machine: Machine): void {
  const args = pop(machine);
  const callee = pop(machine);
  if (!isGlobal(callee)) malformed('it calls something that is no known global');
  if (!Array.isArray(args)) malformed(`${callee.label} is called without a tuple of arguments`);
  // A list can be named again in two bytes, and an OrderedDict goes through all of it each time.
  if (Array.isArray(args[0])) machine.steps += args[0].length;
  push(machine, callee.call(args));
}

/** BUILD carries an object's attributes: `_metadata` of a state dict, the content of opaque values. Nobody needs them. */
function build(machine: Machine): void {
  pop(machine);
  const target = top(machine);
  if (!(target instanceof Map || target instanceof OpaqueValue || target instanceof TensorReference)) {
    malformed('it sets attributes of something that has none');
  }
}

function assertSame(known: StorageReference, storage: StorageReference): void {
  if (known.type === storage.type && known.elements === storage.elements) return;
  malformed(`it describes storage ${storage.key} in two ways`);
}

function push(machine: Machine, value: unknown): void {
  machine.stack.push(value);
}

function top(machine: Machine): unknown {
  const value = machine.stack.at(-1);
  if (machine.stack.length === 0 || value === MARK) malformed('its stack is empty where a value is needed');
  return value;
}

function pop(machine: Machine): unknown {
  const value = top(machine);
  machine.stack.pop();
  return value;
}

function popMany(machine: Machine, count: number): unknown[] {
  return Array.from({ length: count }, () => pop(machine)).reverse();
}

/** Everything above the last mark, which goes too. */
function popMark(machine: Machine): unknown[] {
  const mark = machine.marks.pop();
  if (mark === undefined) malformed('a mark is missing');
  const items = machine.stack.splice(mark);
  items.shift();
  return items;
}

function recall(machine: Machine, index: number): unknown {
  if (!machine.memo.has(index)) malformed(`memo ${index} was never set`);
  return machine.memo.get(index);
}

function append(machine: Machine, items: readonly unknown[]): void {
  const list = top(machine);
  if (!Array.isArray(list)) malformed('items are appended to something that is no list');
  for (const item of items) list.push(item);
}

function setItems(machine: Machine, items: readonly unknown[]): void {
  const target = top(machine);
  if (!(target instanceof Map)) malformed('items are set on something that is no dict');
  if (items.length % 2 !== 0) malformed('a key has no value');
  for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
}

function isGlobal(value: unknown): value is PickleGlobal {
  return typeof value === 'object' && value !== null && 'call' in value && 'label' in value;
}

function malformed(reason: string): never {
  throw failure('invalid_checkpoint', `The checkpoint's pickle cannot be read: ${reason}.`);
}
