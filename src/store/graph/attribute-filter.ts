import type { Attributes, AttributeValue, Filter, FilterCondition } from '../../core/types.ts';

/** Whether a condition holds for an attribute's value; undefined where the cover lacks the attribute. */
export type Test = (value: AttributeValue | undefined) => boolean;

export interface CompiledCondition {
  readonly key: string;
  readonly condition: FilterCondition;
  readonly test: Test;
}

export interface CompiledFilter {
  readonly conditions: readonly CompiledCondition[];
  matches(attributes: Attributes): boolean;
}

/**
 * What a filter means. Every condition must hold; a condition on an attribute that a cover lacks does not hold, and so
 * its `not` does.
 *
 * - a scalar, or `in`: the value equals it, in value and type (`1` is not `"1"`); a list of strings equals each of its
 *   members.
 * - `gt`, `gte`, `lt`, `lte`: the value is a number within all the bounds given.
 * - `exists`: the attribute is there; an empty list counts as not there.
 * - `not`: the condition inside does not hold.
 *
 * Compiled, since it is asked of many covers: a test costs the same however many values stand in an `in`.
 */
export function compileFilter(filter: Filter): CompiledFilter {
  const conditions = Object.entries(filter).map(([key, condition]) => ({
    key,
    condition,
    test: compileCondition(condition),
  }));
  return {
    conditions,
    matches: (attributes) =>
      conditions.every(({ key, test }) => test(Object.hasOwn(attributes, key) ? attributes[key] : undefined)),
  };
}

export function compileCondition(condition: FilterCondition): Test {
  if (typeof condition !== 'object') return (value) => equals(value, condition);
  if ('not' in condition) {
    const inner = compileCondition(condition.not);
    return (value) => !inner(value);
  }
  if ('exists' in condition) return (value) => isPresent(value) === condition.exists;
  if ('in' in condition) {
    const wanted = new Set(condition.in);
    return (value) =>
      typeof value === 'object' ? value.some((member) => wanted.has(member)) : value !== undefined && wanted.has(value);
  }
  const { gt, gte, lt, lte } = condition;
  return (value) =>
    typeof value === 'number' &&
    (gt === undefined || value > gt) &&
    (gte === undefined || value >= gte) &&
    (lt === undefined || value < lt) &&
    (lte === undefined || value <= lte);
}

/** The scalars of which a value must equal one; undefined where the condition does not say so. */
export function wantedValues(condition: FilterCondition): readonly (string | number | boolean)[] | undefined {
  if (typeof condition !== 'object') return [condition];
  return 'in' in condition ? condition.in : undefined;
}

/** The scalars that a value equals: itself, or each member of a list. */
export function scalarsOf(value: AttributeValue): readonly (string | number | boolean)[] {
  return typeof value === 'object' ? value : [value];
}

function equals(value: AttributeValue | undefined, wanted: string | number | boolean): boolean {
  return typeof value === 'object' ? value.some((member) => member === wanted) : value === wanted;
}

function isPresent(value: AttributeValue | undefined): boolean {
  return value !== undefined && !(typeof value === 'object' && value.length === 0);
}
