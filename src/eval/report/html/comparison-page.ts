import type { Comparison } from '../comparison.ts';
import type { Configuration } from '../ranking-report.ts';
import { type Thumbnails, thumbnailStyles } from './covers.ts';
import { renderPage } from './page.ts';
import { comparisonSection, configurationTable, movedQueries, sliceGains } from './sections.ts';

/** Two systems on the same judgements as a page. */
export function comparisonPage(comparison: Comparison, configuration: Configuration, thumbnails: Thumbnails): string {
  const { lost, gained } = movedQueries(comparison, thumbnails);
  return renderPage({
    title: `${comparison.a} and ${comparison.b} compared`,
    subtitle: 'Differences are those of the second from the first, query by query.',
    styles: thumbnailStyles(thumbnails),
    sections: [
      { title: 'Differences', content: comparisonSection(comparison) },
      { title: 'Gain by slice', content: sliceGains(comparison) },
      { title: 'Queries that lost most', content: lost },
      { title: 'Queries that gained most', content: gained },
      { title: 'Configuration', content: configurationTable(configuration) },
    ],
  });
}
