import type { Dice } from '../dice.ts';
import { type InputKind, post } from '../input.ts';
import { NASTY_NAMES } from './ids.ts';

/** Filters that are too deep, too wide, of wrong types, or named after parts of objects. */
export const filters: InputKind = (dice) => {
  const filter = Object.fromEntries(
    Array.from({ length: 1 + dice.below(dice.chance(0.1) ? 200 : 4) }, (_, number) => [
      dice.chance(0.4) ? dice.pick(NASTY_NAMES) : `name-${number}`,
      condition(dice, 0),
    ]),
  );
  const text = JSON.stringify({ query: '猫', filter });
  // An own __proto__ cannot be written as a literal; in JSON it can.
  const spoiled = dice.chance(0.3)
    ? text.replace('"filter":{', `"filter":{"__proto__":${JSON.stringify({ in: [1] })},`)
    : text;
  return post('filter', '/rank', spoiled);
};

function condition(dice: Dice, depth: number): unknown {
  switch (dice.below(30)) {
    case 0:
      return nested('{"not":', '}', 1 + dice.below(dice.chance(0.2) ? 20_000 : 12));
    case 1:
      return { in: Array.from({ length: dice.below(dice.chance(0.1) ? 1500 : 5) }, () => scalar(dice)) };
    case 2:
      return { gt: scalar(dice), lt: scalar(dice) };
    case 3:
      return { exists: scalar(dice) };
    case 4:
      return { [dice.pick(NASTY_NAMES)]: scalar(dice) };
    case 5:
      return {};
    case 6:
      return [];
    case 7:
      return null;
    case 8:
      return { in: { length: 1e9 } };
    case 9:
      return depth < 5 ? { not: condition(dice, depth + 1) } : 1;
    default:
      return scalar(dice);
  }
}

function scalar(dice: Dice): unknown {
  const { below, pick } = dice;
  return pick([1, -0, 1e308, -1e308, 5e-324, below(100), true, 'food', pick(NASTY_NAMES), 'x'.repeat(1025)]);
}

/** So deep that building it as a value and writing it would end in the stack of this process. */
function nested(open: string, close: string, depth: number): unknown {
  const levels = Math.min(depth, 2000);
  return JSON.parse(`${open.repeat(levels)}1${close.repeat(levels)}`);
}
