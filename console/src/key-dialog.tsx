import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useId } from 'preact/hooks';
import { useConsole } from './console-context.ts';
import { Notice } from './elements/notice.tsx';
import { t } from './language/language.ts';

/** Where a key is given for this tab, or taken away again. */
export function KeyDialog({ dialog }: { readonly dialog: RefObject<HTMLDialogElement | null> }) {
  const { keys } = useConsole();
  const id = useId();
  const titleId = useId();
  /** Until the dialog closes; then it is the key in use again. */
  const typed = useSignal<string | undefined>(undefined);
  const isRefused = useSignal(false);
  const use = (key: string): void => {
    isRefused.value = !keys.use(key);
    if (!isRefused.value) dialog.current?.close();
  };
  const reset = (): void => {
    typed.value = undefined;
    isRefused.value = false;
  };
  return (
    <dialog ref={dialog} onClose={reset} aria-labelledby={titleId} class="dialog">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          use(typed.value ?? keys.key.value);
        }}
      >
        <h2 id={titleId}>{t('key.title')}</h2>
        <div class="field">
          <label for={id}>{t('key.label')}</label>
          <input
            id={id}
            type="password"
            autocomplete="off"
            spellcheck={false}
            value={typed.value ?? keys.key.value}
            placeholder="crk_…"
            aria-invalid={isRefused.value}
            aria-describedby={`${id}-hint`}
            onInput={({ currentTarget }) => {
              typed.value = currentTarget.value;
              isRefused.value = false;
            }}
          />
          {isRefused.value ? <Notice kind="error">{t('key.refused')}</Notice> : null}
          <p id={`${id}-hint`} class="quiet small">
            {t('key.hint')}
          </p>
        </div>
        <div class="row row-end">
          <button type="button" class="button button-quiet" onClick={() => dialog.current?.close()}>
            {t('key.close')}
          </button>
          {keys.key.value === '' ? null : (
            <button type="button" class="button" onClick={() => use('')}>
              {t('key.forget')}
            </button>
          )}
          <button type="submit" class="button button-primary">
            {t('key.save')}
          </button>
        </div>
      </form>
    </dialog>
  );
}
