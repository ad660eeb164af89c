import { useId } from 'preact/hooks';
import { t } from '../language/language.ts';
import type { QuerySet } from '../ranking/query-set.ts';

const TEXTS = '.txt,.tsv,.csv,.ndjson,.jsonl,text/plain,text/tab-separated-values';

/** A query set, pasted or read from a file. */
export function QuerySetField({ set }: { readonly set: QuerySet }) {
  const id = useId();
  const fileId = useId();
  return (
    <div class="field query-set">
      <label for={id}>{t('querySet.label')}</label>
      <textarea
        id={id}
        rows={5}
        value={set.text.value}
        placeholder={t('querySet.placeholder')}
        spellcheck={false}
        onInput={({ currentTarget }) => set.type(currentTarget.value)}
      />
      <div class="row">
        <span class="quiet small">{t('querySet.count', { count: set.queries.value.length })}</span>
        <span class="file-button">
          <input
            id={fileId}
            type="file"
            accept={TEXTS}
            onChange={async ({ currentTarget }) => {
              const [file] = currentTarget.files ?? [];
              if (file !== undefined) set.type(await file.text());
              currentTarget.value = '';
            }}
          />
          <label for={fileId} class="button button-small">
            {t('querySet.upload')}
          </label>
        </span>
      </div>
    </div>
  );
}
