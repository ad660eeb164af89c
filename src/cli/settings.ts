import { type Command, Option } from 'commander';
import { type LoadedConfig, loadConfig } from '../config.ts';
import { type Setting, settings } from '../config-schema.ts';

/**
 * Adds a flag for every setting of the service (`--data-dir`, `--limits-rank-queue`, …). Only those named in `shown`
 * appear in the command's help; `coverrank config` lists them all.
 */
export function withSettings(command: Command, shown: readonly string[] = []): Command {
  for (const setting of settings) command.addOption(optionOf(setting, shown.includes(setting.key)));
  return command.addHelpText('after', '\nEvery setting listed by `coverrank config` can be given as a flag as well.');
}

/** The configuration with this command's flags on top. */
export function configOf(command: Command): LoadedConfig {
  const values = command.optsWithGlobals<Record<string, unknown>>();
  const flags = Object.fromEntries(
    settings.flatMap((setting) => {
      const value = values[optionOf(setting, false).attributeName()];
      return value === undefined ? [] : [[setting.key, String(value)]];
    }),
  );
  return loadConfig({ file: values['config'] as string | undefined, flags });
}

/** The flags that every command shares. */
export function isJson(command: Command): boolean {
  return command.optsWithGlobals<{ json?: boolean }>().json === true;
}

function optionOf({ key, flag, description, schema }: Setting, shown: boolean): Option {
  const { type } = schema as { type?: string };
  // A switch may stand alone: `--insecure` is `--insecure true`.
  const option = new Option(
    type === 'boolean' ? `--${flag} [boolean]` : `--${flag} <${placeholder(type)}>`,
    `${description} (${key})`,
  );
  option.helpGroup('Settings:');
  return shown ? option : option.hideHelp();
}

function placeholder(type: string | undefined): string {
  if (type === 'integer' || type === 'number') return 'number';
  if (type === 'array') return 'list';
  return type === 'object' ? 'json' : 'value';
}
