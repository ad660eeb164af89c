import { Command, Option } from 'commander';
import { generateKey, hashKey, type Scope } from '../core/api-key.ts';
import { note, print, printJson } from './output.ts';
import { isJson } from './settings.ts';

/** `coverrank key`: the key on stdout, this once; what the configuration needs of it on stderr. */
export function keyCommand(): Command {
  const command = new Command('key')
    .description('Make an API key. It is shown once; the configuration holds only its hash.')
    .requiredOption('--name <name>', 'who it is for; named in the log of every request that uses it')
    .addOption(
      new Option('--scopes <scope...>', 'what it may do').choices(['rank', 'index', 'admin']).default(['rank']),
    )
    .action(({ name, scopes }: { name: string; scopes: readonly Scope[] }) => {
      const key = generateKey();
      const entry = { name, hash: hashKey(key), scopes };
      if (isJson(command)) {
        printJson({ key, api_key: entry });
        return;
      }
      print(key);
      note('Keep it: it is not stored anywhere. Add this to "api_keys" in coverrank.config.json:');
      note(JSON.stringify(entry, null, 2));
    });
  return command;
}
