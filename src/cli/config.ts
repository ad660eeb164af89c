import { Command } from 'commander';
import type { LoadedConfig } from '../config.ts';
import { settings } from '../config-schema.ts';
import { formatTable, print, printJson } from './output.ts';
import { configOf, isJson, withSettings } from './settings.ts';

const SECRETS: ReadonlySet<string> = new Set(['hash', 'key']);

/** `coverrank config`: every setting with its value and where that comes from. */
export function configCommand(): Command {
  const command = new Command('config')
    .description(
      'Every effective setting, its value and where it comes from: a flag, the environment, a file, a default.',
    )
    .option('--describe', 'also say what each setting is for')
    .action((flags: { describe?: true }) => {
      const effective = effectiveSettings(configOf(command));
      if (isJson(command)) {
        printJson(Object.fromEntries(effective.map(({ key, value, origin }) => [key, { value, origin }])));
      } else if (flags.describe) {
        print(
          effective
            .map(({ key, value, origin, env, flag, description }) =>
              [`${key} = ${JSON.stringify(value)} (${origin})`, `  ${description}`, `  ${env}, --${flag}`].join('\n'),
            )
            .join('\n'),
        );
      } else {
        print(
          formatTable(
            ['setting', 'value', 'origin'],
            effective.map(({ key, value, origin }) => [key, JSON.stringify(value), origin]),
          ),
        );
      }
    });
  return withSettings(command);
}

function effectiveSettings({ config, origins }: LoadedConfig) {
  return settings.map((setting) => ({
    ...setting,
    value: withoutSecrets(valueAt(config, setting.key)),
    origin: origins[setting.key] ?? 'default',
  }));
}

function valueAt(config: unknown, key: string): unknown {
  return key.split('.').reduce((value, name) => (value as Record<string, unknown>)[name], config);
}

/** Keys of other services, and hashes of our own: a listing gets pasted somewhere. */
function withoutSecrets(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return entry;
    return Object.fromEntries(Object.entries(entry).map(([name, of]) => [name, SECRETS.has(name) ? '…' : of]));
  });
}
