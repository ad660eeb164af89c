import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { join, normalize, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import Schema from 'typebox/schema';
import { BundleManifest, bundleHash } from '../core/bundle-format.ts';
import { failure } from '../core/errors.ts';
import type { ModelRef } from '../core/types.ts';

/** A bundle whose files were found to be what its manifest says. */
export interface Bundle {
  readonly dir: string;
  readonly manifest: BundleManifest;
  readonly ref: ModelRef;
  /** Absolute path of one of the bundle's files. */
  path(file: string): string;
}

/** Opens the bundle in `dir`: manifest, hash over it, and every file's size and sha256. Fails with `invalid_bundle`. */
export async function openBundle(dir: string): Promise<Bundle> {
  const manifest = readManifest(dir);
  for (const [file, expected] of Object.entries(manifest.files)) await verifyFile(dir, file, expected);
  requireListed(manifest);
  return {
    dir,
    manifest,
    ref: { name: manifest.name, hash: manifest.hash },
    path: (file) => join(dir, file),
  };
}

/** The manifest alone, checked for form and against its own hash; the other files are not read. */
export function readManifest(dir: string): BundleManifest {
  const file = join(dir, 'bundle.json');
  if (!existsSync(file)) throw failure('invalid_bundle', `${dir} is not a model bundle: it has no bundle.json.`);
  let manifest: unknown;
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw failure('invalid_bundle', `${file} is not valid JSON.`, { cause });
  }
  const [, [problem]] = Schema.Errors(BundleManifest, manifest);
  if (problem !== undefined) {
    throw failure('invalid_bundle', `${file}: ${problem.instancePath || 'the document'} ${problem.message}.`);
  }
  const checked = manifest as BundleManifest;
  if (bundleHash(checked) !== checked.hash) {
    throw failure('invalid_bundle', `${file} was changed after the bundle was made: its hash does not agree.`);
  }
  return checked;
}

async function verifyFile(dir: string, file: string, expected: { bytes: number; sha256: string }): Promise<void> {
  const inside = normalize(file);
  if (inside.startsWith('..') || inside.startsWith(sep)) {
    throw failure('invalid_bundle', `The bundle names ${file}, which lies outside its folder.`);
  }
  const path = join(dir, inside);
  if (!existsSync(path)) throw failure('invalid_bundle', `The bundle lacks ${path}.`);
  if (statSync(path).size !== expected.bytes) {
    throw failure('invalid_bundle', `${path} is not ${expected.bytes} bytes long, as bundle.json says.`);
  }
  const digest = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), digest);
  if (digest.digest('hex') !== expected.sha256) {
    throw failure('invalid_bundle', `${path} is damaged: its sha256 is not the one in bundle.json.`);
  }
}

/** A graph or vocabulary that no digest covers could be swapped unnoticed. */
function requireListed(manifest: BundleManifest): void {
  const used = [manifest.tokenizer.vocab, ...Object.values(manifest.graphs).map((graph) => graph.file)];
  const unlisted = used.find((file) => manifest.files[file] === undefined);
  if (unlisted !== undefined)
    throw failure('invalid_bundle', `bundle.json uses ${unlisted} without listing its digest.`);
}
