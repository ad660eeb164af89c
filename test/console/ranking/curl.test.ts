import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { curlLine } from '../../../console/src/ranking/curl.ts';

/** What a shell makes of the line, with a command of that name that prints its arguments. */
function argumentsOf(line: string): string[] {
  const script = `curl() { for argument; do printf '%s\\0' "$argument"; done; }\n${line}`;
  const environment = { ...process.env, COVERRANK_API_KEY: 'crk_secret' };
  return execFileSync('sh', ['-c', script], { encoding: 'utf8', env: environment }).split('\0').slice(0, -1);
}

test('a shell hands over the request as it was sent, whatever is in it', () => {
  for (const query of ["l'été", '$(rm -rf /)', '`id`', '"quoted" \\ back', '红烧肉', "'; echo $HOME #", 'a\nb']) {
    const body = { query, top_n: 3 };
    const given = argumentsOf(curlLine('http://127.0.0.1:8080', '/rank', body, false));
    assert.deepEqual(given.slice(0, -1), [
      '-s',
      'http://127.0.0.1:8080/rank',
      '-H',
      'content-type: application/json',
      '-d',
    ]);
    assert.deepEqual(JSON.parse(given.at(-1) ?? ''), body);
  }
});

test('a key is read from the environment and never stands in the line', () => {
  const line = curlLine('http://h', '/rank', { query: 'x' }, true);
  assert.ok(line.includes('$COVERRANK_API_KEY'));
  assert.ok(argumentsOf(line).includes('authorization: Bearer crk_secret'));
});
