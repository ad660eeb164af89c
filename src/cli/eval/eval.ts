import { Command } from 'commander';
import { matchingCommand } from './eval-matching.ts';
import { rankingCommand } from './eval-ranking.ts';
import { retrievalCommand } from './eval-retrieval.ts';

/** `coverrank eval …`: the field's own measures, from pictures and a bundle or from scores alone. */
export function evalCommand(): Command {
  return new Command('eval')
    .description('Measure a ranking, a retrieval or a matching against judgements, with intervals and a report.')
    .addCommand(rankingCommand())
    .addCommand(retrievalCommand())
    .addCommand(matchingCommand());
}
