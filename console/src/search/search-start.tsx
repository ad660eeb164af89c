import { useEffect, useState } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { Empty } from '../elements/notice.tsx';
import { t } from '../language/language.ts';
import { linkTo } from '../route.ts';
import type { IndexStatus } from '../service/types.ts';

const EXAMPLES = ['向日葵', '可爱的熊猫', 'roller coaster', 'popcorn video', '自行车', 'fountain'];

interface SearchStartProps {
  /** Then the failure says what to do, and nothing is asked of the service. */
  readonly hasFailed: boolean;
  readonly onChoose: (query: string) => void;
}

/** Before the first query: what this is for, and something to click. */
export function SearchStart({ hasFailed, onChoose }: SearchStartProps) {
  const covers = useCoverCount();
  if (hasFailed) return null;
  if (covers === 0) {
    return (
      <Empty title={t('search.noCoversTitle')}>
        <p>{t('search.noCoversText')}</p>
        <a class="button button-primary" href={linkTo('covers')}>
          {t('search.noCoversAction')}
        </a>
      </Empty>
    );
  }
  return (
    <Empty title={t('search.emptyTitle')}>
      <p>{t('search.emptyText')}</p>
      <ul class="chips" aria-label={t('search.examples')}>
        {EXAMPLES.map((query) => (
          <li key={query}>
            <button type="button" class="chip" onClick={() => onChoose(query)}>
              {query}
            </button>
          </li>
        ))}
      </ul>
    </Empty>
  );
}

/** Undefined until the service told; it need not tell, so a failure stays silent here. */
function useCoverCount(): number | undefined {
  const { client, keys, health } = useConsole();
  const [covers, setCovers] = useState<number | undefined>(undefined);
  const key = keys.key.value;
  const state = health.state.value;
  useEffect(() => {
    if (state !== 'ready') return;
    client.call<IndexStatus>('GET', '/index').then(
      (status) => setCovers(status.covers),
      () => setCovers(undefined),
    );
  }, [client, key, state]);
  return covers;
}
