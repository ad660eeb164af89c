import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadConfig } from '../src/config.ts';
import { settings } from '../src/config-schema.ts';
import { isFailure } from '../src/core/errors.ts';
import { packageRoot } from '../src/core/package-root.ts';

function configFile(t: TestContext, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'coverrank-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'c.json'), content);
  return join(folder, 'c.json');
}

const rejected = (words: RegExp) => (error: unknown) => isFailure(error, 'invalid_config') && words.test(error.message);

test('without any source every setting has its default', () => {
  const { config, origins } = loadConfig({ env: {} });
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.port, 8080);
  assert.equal(config.limits.rank_queue, 256);
  assert.equal(config.model, join(packageRoot, 'models/demo'));
  assert.ok(Object.values(origins).every((origin) => origin === 'default'));
});

test('a flag beats the environment, which beats the file, which beats the default', (t) => {
  const file = configFile(t, '{"port": 1, "host": "::1", "limits": {"rank_queue": 7}}');
  const env = { COVERRANK_PORT: '2', COVERRANK_HOST: 'localhost' };
  const { config, origins } = loadConfig({ file, env, flags: { port: '3' } });
  assert.deepEqual([config.port, config.host, config.limits.rank_queue], [3, 'localhost', 7]);
  assert.equal(config.limits.index_queue, 16);
  assert.equal(origins['port'], 'flag --port');
  assert.equal(origins['host'], 'environment COVERRANK_HOST');
  assert.equal(origins['limits.rank_queue'], `file ${file}`);
  assert.equal(origins['limits.index_queue'], 'default');
});

test('text values become what the schema wants', () => {
  const { config } = loadConfig({
    env: {
      COVERRANK_FETCH_ALLOW: 'cdn.local, 10.0.0.0/8,127.0.0.1:9000',
      COVERRANK_INSECURE: 'true',
      COVERRANK_FUSION: '{"cosine":1,"ocr_match":0.5}',
    },
  });
  assert.deepEqual(config.fetch.allow, ['cdn.local', '10.0.0.0/8', '127.0.0.1:9000']);
  assert.equal(config.insecure, true);
  assert.deepEqual(config.fusion, { cosine: 1, ocr_match: 0.5 });
});

test('folders count from where they were written', (t) => {
  const file = configFile(t, '{"data_dir": "data"}');
  assert.equal(loadConfig({ file, env: {} }).config.data_dir, join(file, '..', 'data'));
  assert.equal(loadConfig({ env: { COVERRANK_DATA_DIR: 'data' } }).config.data_dir, join(process.cwd(), 'data'));
});

test('unknown keys are refused by name, wherever they come from', (t) => {
  const file = configFile(t, '{"prot": 1, "limits": {"rank_queu": 1}}');
  assert.throws(
    () => loadConfig({ file, env: {} }),
    rejected(/unknown setting prot.*unknown setting limits\.rank_queu/),
  );
  assert.throws(() => loadConfig({ env: { COVERRANK_PROT: '1' } }), rejected(/COVERRANK_PROT/));
});

test('a value that does not fit names the setting and its origin', (t) => {
  assert.throws(() => loadConfig({ env: { COVERRANK_PORT: '70000' } }), rejected(/port .*environment COVERRANK_PORT/));
  assert.throws(() => loadConfig({ env: {}, flags: { port: 'x' } }), rejected(/port .*flag --port/));
  assert.throws(() => loadConfig({ env: {}, file: configFile(t, '{"port": "8080"}') }), rejected(/port/));
  assert.throws(() => loadConfig({ env: {}, file: configFile(t, '{port}') }), rejected(/not valid JSON/));
  assert.throws(() => loadConfig({ env: {}, file: '/nowhere/c.json' }), rejected(/no configuration file/));
});

test('no two settings share an environment variable or a flag', () => {
  assert.equal(new Set(settings.map((setting) => setting.env)).size, settings.length);
  assert.equal(new Set(settings.map((setting) => setting.flag)).size, settings.length);
  assert.ok(settings.every((setting) => setting.description !== ''));
});
