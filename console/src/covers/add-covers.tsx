import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { DropZone, PICTURES } from '../elements/drop-zone.tsx';
import { formatCount } from '../elements/format.ts';
import { Failure } from '../elements/notice.tsx';
import { Progress } from '../elements/progress.tsx';
import { Scrolling } from '../elements/scrolling.tsx';
import { t } from '../language/language.ts';
import { itemAdvice } from '../service/advice.ts';
import type { AddedItem, Adding } from './adding.ts';
import { itemsOfFiles, itemsOfLines } from './new-items.ts';

export function AddCovers() {
  const { adding } = useConsole().states;
  return (
    <section class="panel add-covers" aria-labelledby="add-title">
      <h2 id="add-title">{t('index.add')}</h2>
      <div class="add-sources">
        <DropZone
          label={t('index.drop')}
          hint={t('index.dropHint')}
          accept={PICTURES}
          multiple
          onFiles={(files) => void adding.add(itemsOfFiles(files))}
        />
        <AddressForm adding={adding} />
      </div>
      {adding.error.value === undefined ? null : <Failure error={adding.error.value} />}
      <AddedItems adding={adding} />
    </section>
  );
}

function AddressForm({ adding }: { readonly adding: Adding }) {
  const id = useId();
  const text = useSignal('');
  const items = itemsOfLines(text.value);
  return (
    <form
      class="field"
      onSubmit={(event) => {
        event.preventDefault();
        void adding.add(items);
        text.value = '';
      }}
    >
      <label for={id}>{t('index.urls')}</label>
      <textarea
        id={id}
        rows={3}
        value={text.value}
        placeholder="https://…"
        spellcheck={false}
        aria-describedby={`${id}-hint`}
        onInput={({ currentTarget }) => (text.value = currentTarget.value)}
      />
      <div class="row">
        <p id={`${id}-hint`} class="quiet small">
          {t('index.urlsHint')}
        </p>
        <button type="submit" class="button" disabled={items.length === 0}>
          {t('index.addUrls', { count: items.length })}
        </button>
      </div>
    </form>
  );
}

/** Rows that the list shows; those that failed come first. */
const ROWS = 200;

function AddedItems({ adding }: { readonly adding: Adding }) {
  const items = adding.items.value;
  if (items.length === 0) return null;
  const failed = items.filter(({ state }) => state === 'failed');
  const open = items.filter(({ state }) => state === 'waiting' || state === 'running').length;
  const values = { done: items.length - open, total: items.length, failed: failed.length };
  const ordered = [...failed, ...items.filter(({ state }) => state !== 'failed')];
  return (
    <>
      <div class="row">
        <Progress done={values.done} total={values.total} label={t('index.progress', values)} />
        {adding.isRunning.value ? (
          <button type="button" class="button" onClick={adding.stop}>
            {t('index.stop')}
          </button>
        ) : (
          <button type="button" class="button button-quiet" onClick={adding.clear}>
            {t('index.clear')}
          </button>
        )}
      </div>
      <Scrolling label={t('index.result')}>
        <table class="table">
          <thead>
            <tr>
              <th scope="col">{t('index.item')}</th>
              <th scope="col">{t('index.result')}</th>
            </tr>
          </thead>
          <tbody>
            {ordered.slice(0, ROWS).map((item) => (
              <tr key={item.id} class={`item-${item.state}`}>
                <th scope="row" class="mono">
                  {item.id}
                </th>
                <td>{resultOf(item)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolling>
      {ordered.length > ROWS ? <p class="quiet small">+ {formatCount(ordered.length - ROWS)}</p> : null}
    </>
  );
}

function resultOf({ state, problem }: AddedItem): string {
  if (state === 'failed') return problem === undefined ? '' : itemAdvice(problem);
  return t(`index.result.${state}`);
}
