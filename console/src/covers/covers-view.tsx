import { t } from '../language/language.ts';
import { AddCovers } from './add-covers.tsx';
import { IndexState } from './index-state.tsx';
import { Load } from './load.tsx';

/** The index: what is in it, how it is doing, and more covers for it. */
export function CoversView() {
  return (
    <div class="view">
      <h1>{t('index.title')}</h1>
      <div class="index-grid">
        <IndexState />
        <Load />
      </div>
      <AddCovers />
    </div>
  );
}
