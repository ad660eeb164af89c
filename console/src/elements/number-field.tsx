import { useId } from 'preact/hooks';

interface NumberFieldProps {
  readonly label: string;
  /** Undefined: the field is empty, and `placeholder` says what holds then. */
  readonly value: number | undefined;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  readonly placeholder?: string;
  readonly onChange: (value: number | undefined) => void;
}

/** A number that may be left out. What is out of bounds is marked, and not passed on. */
export function NumberField({ label, value, min, max, step = 1, placeholder, onChange }: NumberFieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        min={min}
        max={max}
        step={step}
        value={value ?? ''}
        placeholder={placeholder}
        onInput={({ currentTarget }) => {
          if (currentTarget.value === '') onChange(undefined);
          else if (currentTarget.validity.valid) onChange(currentTarget.valueAsNumber);
        }}
      />
    </div>
  );
}
