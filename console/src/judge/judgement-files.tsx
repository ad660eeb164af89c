import { useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { formatCount } from '../elements/format.ts';
import { Failure, Notice } from '../elements/notice.tsx';
import { t } from '../language/language.ts';
import { readFile } from '../service/read-file.ts';
import { asServiceError, type ServiceError } from '../service/service-error.ts';

const FORMATS = ['cbvs', 'trec', 'topics', 'json'] as const;
type Format = (typeof FORMATS)[number];

interface Kept {
  readonly total: number;
  readonly queries: number;
}

interface Imported {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly problems: readonly { readonly count: number; readonly effect: string; readonly title: string }[];
}

/** Export and import. `written` is how many judgements were made here, so that they are counted anew. */
export function JudgementFiles({ written }: { readonly written: number }) {
  const { client, keys } = useConsole();
  const kept = useSignal<Kept | undefined>(undefined);
  const error = useSignal<ServiceError | undefined>(undefined);
  const imported = useSignal<Imported | undefined>(undefined);
  const key = keys.key.value;

  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      error.value = undefined;
    } catch (caught) {
      error.value = asServiceError(caught);
    }
  };
  const count = async (): Promise<void> => {
    kept.value = await client.call<Kept>('GET', '/judgements', { query: { limit: '0' } });
  };
  useEffect(() => {
    // Grades are given faster than a count is worth asking for.
    const timer = setTimeout(() => void attempt(count), 500);
    return () => clearTimeout(timer);
  }, [written, key]);

  const download = (format: Format): Promise<void> =>
    attempt(async () => save(await client.bytes('/judgements/export', { query: { format } }), fileName(format)));
  const upload = (file: File, topicsFile: File | undefined): Promise<void> =>
    attempt(async () => {
      const text = await readFile(file.text());
      const topics = topicsFile === undefined ? undefined : await readFile(topicsFile.text());
      imported.value = await client.call<Imported>('POST', '/judgements/import', {
        body: { text, ...(topics === undefined ? {} : { topics }) },
      });
      await count();
    });

  return (
    <section class="panel" aria-labelledby="files-title">
      <h2 id="files-title">
        {t('judge.export')} · {t('judge.import')}
      </h2>
      {kept.value === undefined ? null : (
        <p class="quiet">
          {t('judge.kept', { total: formatCount(kept.value.total), queries: formatCount(kept.value.queries) })}
        </p>
      )}
      {error.value === undefined ? null : <Failure error={error.value} />}
      <div class="row row-bottom">
        {FORMATS.map((format) => (
          <button
            key={format}
            type="button"
            class="button"
            disabled={kept.value === undefined || kept.value.total === 0}
            onClick={() => void download(format)}
          >
            {t(`judge.format.${format}`)}
          </button>
        ))}
      </div>
      <ImportForm onImport={upload} />
      {imported.value === undefined ? null : (
        <Notice kind={imported.value.problems.length > 0 ? 'warning' : 'info'}>
          <p>{t('judge.imported', { ...imported.value, problems: '' })}</p>
          {imported.value.problems.map((problem) => (
            <p key={problem.title}>{t('judge.importProblem', { ...problem })}</p>
          ))}
        </Notice>
      )}
    </section>
  );
}

function ImportForm({ onImport }: { readonly onImport: (file: File, topics: File | undefined) => Promise<void> }) {
  const id = useId();
  const topicsId = useId();
  const file = useRef<HTMLInputElement>(null);
  const topics = useRef<HTMLInputElement>(null);
  const hasFile = useSignal(false);
  return (
    <form
      class="row row-bottom"
      onSubmit={(event) => {
        event.preventDefault();
        const chosen = file.current?.files?.[0];
        if (chosen !== undefined) void onImport(chosen, topics.current?.files?.[0]);
      }}
    >
      <div class="field">
        <label for={id}>{t('judge.importFile')}</label>
        <input
          id={id}
          ref={file}
          type="file"
          aria-describedby={`${id}-hint`}
          onChange={({ currentTarget }) => (hasFile.value = (currentTarget.files?.length ?? 0) > 0)}
        />
      </div>
      <div class="field">
        <label for={topicsId}>{t('judge.importTopics')}</label>
        <input id={topicsId} ref={topics} type="file" />
      </div>
      <button type="submit" class="button" disabled={!hasFile.value}>
        {t('judge.import')}
      </button>
      <p id={`${id}-hint`} class="quiet small">
        {t('judge.importHint')}
      </p>
    </form>
  );
}

function fileName(format: Format): string {
  return { cbvs: 'judgements.tsv', trec: 'judgements.qrels', topics: 'topics.tsv', json: 'judgements.ndjson' }[format];
}

/** Through a link that nobody sees: the file needs the key that only a script can send. */
function save(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}
