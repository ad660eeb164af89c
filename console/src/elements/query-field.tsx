import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../language/language.ts';

interface QueryFieldProps {
  readonly value: string;
  readonly busy: boolean;
  readonly onType: (query: string) => void;
  readonly onAsk: () => void;
}

/** The field that a query is typed into; `/` leads to it from anywhere. */
export function QueryField({ value, busy, onType, onAsk }: QueryFieldProps) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== '/' || isTyping(event.target)) return;
      event.preventDefault();
      field.current?.focus();
      field.current?.select();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  return (
    <search>
      <form
        class="query-field"
        onSubmit={(event) => {
          event.preventDefault();
          onAsk();
        }}
      >
        <label class="unseen" for={id}>
          {t('search.label')}
        </label>
        <input
          id={id}
          ref={field}
          type="search"
          value={value}
          placeholder={t('search.placeholder')}
          autocomplete="off"
          spellcheck={false}
          enterkeyhint="search"
          title={t('search.shortcut')}
          onInput={({ currentTarget }) => onType(currentTarget.value)}
        />
        <span class={`spinner ${busy ? 'is-busy' : ''}`} aria-hidden="true" />
      </form>
    </search>
  );
}

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null;
}
