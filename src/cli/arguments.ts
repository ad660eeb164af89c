import { InvalidArgumentError } from 'commander';

/** Parser of an option that takes a whole number of at least `minimum`. */
export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= minimum) return value;
    throw new InvalidArgumentError(`A whole number of at least ${minimum} is needed.`);
  };
}

/** Parser of an option that takes a JSON object. */
export function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Told below, like JSON of another kind.
  }
  throw new InvalidArgumentError('A JSON object is needed.');
}
