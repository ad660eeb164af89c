import { useState } from 'preact/hooks';

interface NumberInputProps {
  readonly id?: string;
  /** Undefined: the field is empty, and `placeholder` says what holds then. */
  readonly value: number | undefined;
  readonly min: number;
  readonly max: number;
  /** What an arrow key adds. With 1 only whole numbers are taken, otherwise also those between two steps. */
  readonly step: number;
  readonly placeholder?: string | undefined;
  readonly disabled?: boolean;
  /** Undefined once the field was left empty. */
  readonly onChange: (value: number | undefined) => void;
}

/**
 * Where a number is typed. Each one within the bounds is passed on at once; while the field has the focus its text is
 * the typist's alone, so that an empty or half-typed one stays, and on leaving it shows what holds.
 */
export function NumberInput({ value, step, onChange, ...attributes }: NumberInputProps) {
  const [typed, setTyped] = useState<string | undefined>(undefined);
  return (
    <input
      {...attributes}
      type="number"
      inputMode="decimal"
      step={step}
      value={typed ?? value ?? ''}
      onInput={({ currentTarget }) => {
        setTyped(currentTarget.value);
        if (isTaken(currentTarget, step)) onChange(currentTarget.valueAsNumber);
      }}
      onBlur={({ currentTarget }) => {
        // What is no number reads as empty as well; its text goes only when it is overwritten.
        if (currentTarget.validity.badInput) currentTarget.value = '';
        else if (typed === '') onChange(undefined);
        setTyped(undefined);
      }}
    />
  );
}

function isTaken({ validity, valueAsNumber }: HTMLInputElement, step: number): boolean {
  if (!Number.isFinite(valueAsNumber) || validity.rangeUnderflow || validity.rangeOverflow) return false;
  return step !== 1 || Number.isInteger(valueAsNumber);
}
