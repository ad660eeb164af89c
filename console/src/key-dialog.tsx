import type { RefObject } from 'preact';
import { useId, useRef } from 'preact/hooks';
import { useConsole } from './console-context.ts';
import { t } from './language/language.ts';

/** Where a key is given for this tab, or taken away again. */
export function KeyDialog({ dialog }: { readonly dialog: RefObject<HTMLDialogElement | null> }) {
  const { keys } = useConsole();
  const id = useId();
  const titleId = useId();
  const field = useRef<HTMLInputElement>(null);
  const use = (key: string): void => {
    keys.use(key);
    dialog.current?.close();
  };
  return (
    <dialog ref={dialog} aria-labelledby={titleId} class="dialog">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          use(field.current?.value ?? '');
        }}
      >
        <h2 id={titleId}>{t('key.title')}</h2>
        <div class="field">
          <label for={id}>{t('key.label')}</label>
          <input
            id={id}
            ref={field}
            type="password"
            autocomplete="off"
            spellcheck={false}
            value={keys.key.value}
            placeholder="crk_…"
          />
          <p class="quiet small">{t('key.hint')}</p>
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
