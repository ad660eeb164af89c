import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

/** Tells the person at the terminal; figures go to standard output. */
export function say(what: string): void {
  process.stderr.write(`${what}\n`);
}

/** Runs a program; what it throws is told on one line and makes its exit code 1. */
export async function runProgram(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

/** `out`, or a name of its own made of the prefix and the moment of the start. */
export function reportFile(out: string | undefined, prefix: string, startedAt: string): string {
  const stamp = startedAt.replaceAll(':', '-').slice(0, 19);
  return resolve(out ?? join('loadtest-results', `${prefix}${stamp}.json`));
}

/** Writes files, each with the folder that it needs, and says where. */
export async function writeFiles(contents: Readonly<Record<string, string>>): Promise<void> {
  for (const [file, content] of Object.entries(contents)) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  say(
    `wrote ${Object.keys(contents)
      .map((file) => relative('', file))
      .join(' and ')}`,
  );
}

export function formatJson(report: object): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
