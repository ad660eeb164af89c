import { failure } from '../../core/errors.ts';
import type { Judgement } from '../../core/types.ts';
import type { JudgementFormat } from './judgements.ts';

/** A judgement with the address of its cover's picture, which only `cbvs` writes. */
export interface WrittenJudgement extends Pick<Judgement, 'topic' | 'query' | 'id' | 'grade'> {
  readonly address: string;
}

/**
 * One line, in a form that `readJudgements` reads. In TSV a tab or a line break inside a query becomes a space, which
 * no tokenizer tells apart. Fails with `invalid_request` for an id that the format has no way to hold.
 */
export function judgementLine(format: JudgementFormat, { topic, query, id, grade, address }: WrittenJudgement): string {
  switch (format) {
    case 'json':
      return JSON.stringify({ query, id, grade });
    case 'tsv':
      return [oneLine(query), idWithout(/[\t\r\n]/, id, format), grade].join('\t');
    case 'cbvs':
      return [oneLine(query), idWithout(/[\t\r\n]/, id, format), address, grade].join('\t');
    case 'trec':
      return [topic, 0, idWithout(/\s/, id, format), grade].join(' ');
  }
}

/** A line of the file of topics that TREC qrels need. */
export function topicLine({ topic, query }: Pick<Judgement, 'topic' | 'query'>): string {
  return `${topic}\t${oneLine(query)}`;
}

function oneLine(text: string): string {
  return text.replace(/[\t\r\n]+/g, ' ');
}

function idWithout(separators: RegExp, id: string, format: JudgementFormat): string {
  if (!separators.test(id)) return id;
  throw failure('invalid_request', `The format ${format} cannot hold the id ${JSON.stringify(id)}; json can.`);
}
