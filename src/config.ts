import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { TSchema } from 'typebox';
import Schema from 'typebox/schema';
import { type Config, ConfigSchema, type Setting, settings } from './config-schema.ts';
import { failure } from './core/errors.ts';
import { packageRoot } from './core/package-root.ts';

export type Origin = 'default' | `file ${string}` | `environment ${string}` | `flag ${string}`;

export interface LoadedConfig {
  readonly config: Config;
  /** Where each setting's value came from, by key. */
  readonly origins: Readonly<Record<string, Origin>>;
}

export interface ConfigSources {
  /** Path of the configuration file; without one `coverrank.config.json` of the working folder is read if it is there. */
  readonly file?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Values by setting key, as text from the command line. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
}

const DEFAULT_FILE = 'coverrank.config.json';
/** Not settings of the service, yet ours: read by the command line itself. */
const OTHER_ENVIRONMENT = new Set(['COVERRANK_DEBUG', 'COVERRANK_CONFIG', 'COVERRANK_API_KEY']);
const PATH_SETTINGS = ['data_dir', 'model', 'rerank_model'] as const;

/** Reads, merges and checks the configuration. Fails with `invalid_config`, naming each wrong key and its origin. */
export function loadConfig(sources: ConfigSources = {}): LoadedConfig {
  const env = sources.env ?? process.env;
  const file = readConfigFile(sources.file ?? env['COVERRANK_CONFIG']);
  rejectUnknownEnvironment(env);

  const merged: Record<string, unknown> = structuredClone(file?.values ?? {});
  const origins: Record<string, Origin> = {};
  for (const setting of settings) {
    const path = setting.key.split('.');
    const flag = sources.flags?.[setting.key];
    const variable = env[setting.env];
    if (flag !== undefined) {
      assign(merged, path, parseText(setting, flag, `--${setting.flag}`));
      origins[setting.key] = `flag --${setting.flag}`;
    } else if (variable !== undefined) {
      assign(merged, path, parseText(setting, variable, setting.env));
      origins[setting.key] = `environment ${setting.env}`;
    } else if (file !== undefined && lookUp(merged, path) !== undefined) {
      origins[setting.key] = `file ${file.path}`;
    } else {
      origins[setting.key] = 'default';
    }
  }
  const config = check(merged, origins);
  return { config: resolvePaths(config, origins, file?.path), origins };
}

/** The configuration that `loadConfig` gives where nothing is set; for embedding and for tests. */
export function defaultConfig(changes: Partial<Config> = {}): Config {
  return { ...loadConfig({ env: {} }).config, ...changes };
}

function readConfigFile(named: string | undefined): { path: string; values: Record<string, unknown> } | undefined {
  const path = resolve(named ?? DEFAULT_FILE);
  if (!existsSync(path)) {
    if (named === undefined) return undefined;
    throw failure('invalid_config', `There is no configuration file ${path}.`);
  }
  let values: unknown;
  try {
    values = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw failure('invalid_config', `${path} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw failure('invalid_config', `${path} must hold a JSON object.`);
  }
  return { path, values: values as Record<string, unknown> };
}

function rejectUnknownEnvironment(env: Readonly<Record<string, string | undefined>>): void {
  const known = new Set(settings.map((setting) => setting.env));
  const unknown = Object.keys(env).filter(
    (name) => name.startsWith('COVERRANK_') && !known.has(name) && !OTHER_ENVIRONMENT.has(name),
  );
  if (unknown.length > 0) throw failure('invalid_config', `Unknown setting in the environment: ${unknown.join(', ')}.`);
}

/** A setting given as text: lists are comma-separated, objects and lists of objects are JSON. */
function parseText(setting: Setting, text: string, origin: string): unknown {
  const schema = setting.schema as { type?: string; items?: { type?: string } };
  if (schema.type === 'integer' || schema.type === 'number') return text.trim() === '' ? text : Number(text);
  if (schema.type === 'boolean')
    return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text;
  if (schema.type === 'array' && schema.items?.type === 'string') {
    return text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
  }
  if (schema.type !== 'object' && schema.type !== 'array') return text;
  try {
    return JSON.parse(text);
  } catch {
    throw failure('invalid_config', `${origin} must be JSON.`);
  }
}

function check(values: Record<string, unknown>, origins: Readonly<Record<string, Origin>>): Config {
  const complete = withDefaults(ConfigSchema, values);
  const [, errors] = Schema.Errors(ConfigSchema, complete);
  const problems = errors
    .filter((error) => error.keyword !== 'boolean')
    .map((error) => {
      const key = error.instancePath.slice(1).replaceAll('/', '.');
      const unknown = (error.params as { additionalProperties?: readonly string[] }).additionalProperties;
      if (unknown !== undefined)
        return `unknown setting ${unknown.map((name) => (key ? `${key}.${name}` : name)).join(', ')}`;
      const origin = origins[key];
      return `${key} ${error.message}${origin === undefined || origin === 'default' ? '' : ` (${origin})`}`;
    });
  if (problems.length > 0) throw failure('invalid_config', `The configuration is not valid: ${problems.join('; ')}.`);
  return complete as Config;
}

/** TypeBox fills defaults of a missing object but not inside one that is there in part; this does both. */
function withDefaults(schema: TSchema, value: unknown): unknown {
  const { properties, default: fallback } = schema as { properties?: Record<string, TSchema>; default?: unknown };
  const present = value === undefined ? structuredClone(fallback) : value;
  if (properties === undefined || typeof present !== 'object' || present === null || Array.isArray(present))
    return present;
  const filled: Record<string, unknown> = { ...present };
  for (const [name, child] of Object.entries(properties)) filled[name] = withDefaults(child, filled[name]);
  return filled;
}

/** Relative folders count from where they were written: the file's folder, the working folder, or ours for defaults. */
function resolvePaths(config: Config, origins: Readonly<Record<string, Origin>>, file: string | undefined): Config {
  const resolved = { ...config };
  for (const key of PATH_SETTINGS) {
    if (config[key] === '' || isAbsolute(config[key])) continue;
    const origin = origins[key] ?? 'default';
    if (origin === 'default') resolved[key] = join(packageRoot, config[key]);
    else if (origin.startsWith('file') && file !== undefined) resolved[key] = resolve(dirname(file), config[key]);
    else resolved[key] = resolve(config[key]);
  }
  return resolved;
}

function lookUp(values: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)
        ? (inner as Record<string, unknown>)[name]
        : undefined,
    values,
  );
}

function assign(values: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  if (rest.length === 0) {
    values[name] = value;
    return;
  }
  const inner = values[name];
  const child = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {};
  values[name] = child;
  assign(child, rest, value);
}
