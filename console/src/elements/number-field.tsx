import { useId } from 'preact/hooks';
import { NumberInput } from './number-input.tsx';

interface NumberFieldProps {
  readonly label: string;
  /** Undefined: the field is empty, and `placeholder` says what holds then. */
  readonly value: number | undefined;
  readonly min: number;
  readonly max: number;
  readonly placeholder?: string;
  readonly onChange: (value: number | undefined) => void;
}

/** A whole number that may be left out. What is out of bounds is marked, and not passed on. */
export function NumberField({ label, ...input }: NumberFieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <NumberInput id={id} step={1} {...input} />
    </div>
  );
}
