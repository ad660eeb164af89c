import { useSignal } from '@preact/signals';
import { useEffect, useId } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { DropZone, PICTURES } from '../elements/drop-zone.tsx';
import { FilePicture } from '../elements/file-picture.tsx';
import { Empty, Failure, Notice } from '../elements/notice.tsx';
import { t } from '../language/language.ts';
import { route } from '../route.ts';
import { ExplainedCover, verdictOf } from './explained-cover.tsx';

/** One cover against one query: what it scores, and where that puts it. */
export function ExplainView() {
  const { states, announce } = useConsole();
  const { explanation } = states;
  const { query, id, picture } = explanation;
  const isIncomplete = useSignal(false);
  const queryId = useId();
  const idId = useId();
  const explained = explanation.explained.value;
  const { params } = route.value;

  useEffect(() => {
    const [wantedQuery, wantedId] = [params.get('q'), params.get('id')];
    if (wantedQuery !== null) query.value = wantedQuery;
    if (wantedId === null) return;
    id.value = wantedId;
    picture.value = undefined;
  }, [id, params, picture, query]);
  useEffect(() => {
    if (explained !== undefined) announce(verdictOf(explained));
  }, [announce, explained]);

  const ask = async (): Promise<void> => {
    isIncomplete.value = explanation.question.value === undefined;
    await explanation.ask();
  };

  return (
    <div class="view">
      <h1>{t('explain.title')}</h1>
      <p class="lead">{t('explain.intro')}</p>
      <form
        class="panel explain-form"
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <div class="field">
          <label for={queryId}>{t('explain.query')}</label>
          <input
            id={queryId}
            value={query.value}
            autocomplete="off"
            spellcheck={false}
            onInput={({ currentTarget }) => (query.value = currentTarget.value)}
          />
        </div>
        <div class="explain-subject">
          <div class="field">
            <label for={idId}>{t('explain.id')}</label>
            <input
              id={idId}
              class="mono"
              value={id.value}
              disabled={picture.value !== undefined}
              autocomplete="off"
              spellcheck={false}
              onInput={({ currentTarget }) => (id.value = currentTarget.value)}
            />
          </div>
          <span class="quiet">{t('explain.or')}</span>
          {picture.value === undefined ? (
            <DropZone
              label={t('explain.drop')}
              accept={PICTURES}
              onFiles={([file]) => {
                picture.value = file;
              }}
            />
          ) : (
            <ChosenPicture file={picture.value} onRemove={() => (picture.value = undefined)} />
          )}
        </div>
        <button type="submit" class="button button-primary">
          {t('explain.run')}
        </button>
        {isIncomplete.value ? <Notice kind="error">{t('explain.needsBoth')}</Notice> : null}
      </form>
      {explanation.busy.value ? (
        <p class="quiet" role="status">
          {t('explain.working')}
        </p>
      ) : null}
      {explanation.error.value === undefined ? null : <Failure error={explanation.error.value} />}
      {explanation.isOutdated.value && !explanation.busy.value ? (
        <Notice kind="info">{t('explain.outdated')}</Notice>
      ) : null}
      {explained === undefined ? (
        explanation.error.value === undefined && !explanation.busy.value ? (
          <Empty title={t('explain.emptyTitle')}>
            <p>{t('explain.emptyText')}</p>
          </Empty>
        ) : null
      ) : (
        <ExplainedCover explained={explained} />
      )}
    </div>
  );
}

function ChosenPicture({ file, onRemove }: { readonly file: File; readonly onRemove: () => void }) {
  return (
    <div class="chosen-picture">
      <FilePicture file={file} />
      <span class="small">{t('explain.picture', { name: file.name })}</span>
      <button type="button" class="button button-small" onClick={onRemove}>
        {t('explain.removePicture')}
      </button>
    </div>
  );
}
