import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { t } from '../language/language.ts';
import type { QuerySet } from '../ranking/query-set.ts';
import { readFile } from '../service/read-file.ts';
import { asServiceError, type ServiceError } from '../service/service-error.ts';
import { Failure } from './notice.tsx';

const TEXTS = '.txt,.tsv,.csv,.ndjson,.jsonl,text/plain,text/tab-separated-values';

/** A query set, pasted or read from a file. */
export function QuerySetField({ set }: { readonly set: QuerySet }) {
  const id = useId();
  const fileId = useId();
  const error = useSignal<ServiceError | undefined>(undefined);
  const read = async (file: File): Promise<void> => {
    try {
      set.type(await readFile(file.text()));
      error.value = undefined;
    } catch (caught) {
      error.value = asServiceError(caught);
    }
  };
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
            onChange={({ currentTarget }) => {
              const [file] = currentTarget.files ?? [];
              if (file !== undefined) void read(file);
              currentTarget.value = '';
            }}
          />
          <label for={fileId} class="button button-small">
            {t('querySet.upload')}
          </label>
        </span>
      </div>
      {error.value === undefined ? null : <Failure error={error.value} />}
    </div>
  );
}
