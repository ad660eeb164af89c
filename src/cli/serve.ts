import { Command } from 'commander';
import { runServer } from '../server.ts';
import { configOf, withSettings } from './settings.ts';

const SHOWN = ['host', 'port', 'insecure', 'data_dir', 'model', 'log_level'];

export function serveCommand(): Command {
  return withSettings(new Command('serve'), SHOWN)
    .description('Run the service. Logs JSON lines; the one with "event":"listening" says that it is ready.')
    .action(async (_options: unknown, command: Command) => {
      await runServer(configOf(command).config);
    });
}
