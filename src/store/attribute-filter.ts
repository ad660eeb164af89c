import type { Attributes, AttributeValue, Filter, FilterCondition } from '../core/types.ts';

/**
 * What a filter means. Every condition must hold; a condition on an attribute that a cover lacks does not hold, and so
 * its `not` does.
 *
 * - a scalar, or `in`: the value equals it, in value and type (`1` is not `"1"`); a list of strings equals each of its
 *   members.
 * - `gt`, `gte`, `lt`, `lte`: the value is a number within all the bounds given.
 * - `exists`: the attribute is there; an empty list counts as not there.
 * - `not`: the condition inside does not hold.
 */
export function matchesFilter(filter: Filter, attributes: Attributes): boolean {
  return Object.entries(filter).every(([key, condition]) =>
    matchesCondition(condition, Object.hasOwn(attributes, key) ? attributes[key] : undefined),
  );
}

/** Whether `condition` holds for an attribute's value; undefined where the cover lacks the attribute. */
export function matchesCondition(condition: FilterCondition, value: AttributeValue | undefined): boolean {
  if (typeof condition !== 'object') return equals(value, condition);
  if ('not' in condition) return !matchesCondition(condition.not, value);
  if ('exists' in condition) return isPresent(value) === condition.exists;
  if ('in' in condition) return condition.in.some((wanted) => equals(value, wanted));
  const { gt, gte, lt, lte } = condition;
  return (
    typeof value === 'number' &&
    (gt === undefined || value > gt) &&
    (gte === undefined || value >= gte) &&
    (lt === undefined || value < lt) &&
    (lte === undefined || value <= lte)
  );
}

/** Whether only covers that have the attribute can meet the condition. */
export function needsAttribute(condition: FilterCondition): boolean {
  return !matchesCondition(condition, undefined);
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
