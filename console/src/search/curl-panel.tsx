import { useConsole } from '../console-context.ts';
import { CopyButton } from '../elements/copy-button.tsx';
import { t } from '../language/language.ts';
import { curlLine } from '../ranking/curl.ts';
import type { Answered } from '../ranking/ranked-query.ts';

/** The request of the answer that is shown, to be taken elsewhere. */
export function CurlPanel({ answered }: { readonly answered: Answered }) {
  const { keys } = useConsole();
  const line = curlLine(location.origin, answered.path, answered.request, keys.key.value !== '');
  return (
    <section class="panel" aria-labelledby="curl-title">
      <div class="row">
        <h2 id="curl-title">{t('curl.title')}</h2>
        <CopyButton text={line} />
      </div>
      <pre class="code">{line}</pre>
    </section>
  );
}
