import { constants, existsSync, readFileSync } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import { dirname, join } from 'node:path';
import type { Config } from '../../config-schema.ts';
import { int8Instructions } from '../../core/cpu-flags.ts';
import { isFailure } from '../../core/errors.ts';
import { packageRoot } from '../../core/package-root.ts';

/** What one check found. `advice` says what to do about a warning or failure. */
export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly advice?: string;
}

const MIB = 1024 * 1024;
const LITTLE_DISK_BYTES = 1024 * MIB;
const NO_DISK_BYTES = 64 * MIB;
const LITTLE_MEMORY_BYTES = 1024 * MIB;
/** Loaded by name, one by one: a broken one must not take the others down with it, nor this command. */
const NATIVE_LIBRARIES = ['onnxruntime-node', 'hnswlib-node', 'lmdb', 'sharp', 'fs-native-extensions'];

export function checkNode(): Finding {
  const { engines } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const [needMajor = 0, needMinor = 0] = engines.node
    .replace(/[^\d.]/g, '')
    .split('.')
    .map(Number);
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fits = major > needMajor || (major === needMajor && minor >= needMinor);
  return fits
    ? { check: 'node', status: 'ok', detail: process.version }
    : { check: 'node', status: 'fail', detail: process.version, advice: `Install Node ${engines.node}.` };
}

export async function checkNativeLibraries(): Promise<Finding[]> {
  return Promise.all(
    NATIVE_LIBRARIES.map(async (name): Promise<Finding> => {
      try {
        await import(name);
        return { check: name, status: 'ok', detail: 'loads' };
      } catch (error) {
        const [detail = ''] = String((error as Error).message).split('\n');
        const advice = 'Run `npm ci` again; hnswlib-node needs a C++ compiler and Python.';
        return { check: name, status: 'fail', detail, advice };
      }
    }),
  );
}

export function checkCpu(): Finding {
  const cores = os.availableParallelism();
  const [first] = os.cpus();
  const name = `${cores} cores, ${first?.model.trim() ?? os.arch()}`;
  const fast = int8Instructions();
  if (fast === undefined) return { check: 'cpu', status: 'ok', detail: name };
  if (fast.length > 0) return { check: 'cpu', status: 'ok', detail: `${name}, ${fast.join(' ')}` };
  const advice = 'int8 models run here, but slower than on a CPU with VNNI: measure fp32 as well.';
  return { check: 'cpu', status: 'warn', detail: `${name}, no int8 instructions`, advice };
}

export function checkMemory(): Finding {
  // A container's limit counts where it is lower than what the machine has.
  const limit = process.constrainedMemory?.() ?? 0;
  const total = limit > 0 && limit < os.totalmem() ? limit : os.totalmem();
  const detail = `${gib(total)} in all, ${gib(Math.min(os.freemem(), total))} free`;
  if (total >= LITTLE_MEMORY_BYTES) return { check: 'memory', status: 'ok', detail };
  return { check: 'memory', status: 'warn', detail, advice: 'Give the service 1 GiB or more.' };
}

export async function checkDisk({ data_dir }: Config): Promise<Finding> {
  const { bavail, bsize } = await statfs(nearestFolder(data_dir));
  const free = bavail * bsize;
  const detail = `${gib(free)} free for ${data_dir}`;
  if (free >= LITTLE_DISK_BYTES) return { check: 'disk', status: 'ok', detail };
  const advice = 'Make room, or set data_dir to another disk: writes fail when it is full.';
  return { check: 'disk', status: free < NO_DISK_BYTES ? 'fail' : 'warn', detail, advice };
}

export async function checkWritable({ data_dir }: Config): Promise<Finding> {
  const folder = nearestFolder(data_dir);
  try {
    await access(folder, constants.W_OK);
    return { check: 'write permission', status: 'ok', detail: folder };
  } catch {
    const advice = `Let user ${os.userInfo().username} write there, or set data_dir to another folder.`;
    return { check: 'write permission', status: 'fail', detail: `none for ${folder}`, advice };
  }
}

export async function checkPort({ host, port }: Config): Promise<Finding> {
  const detail = `${host}, port ${port}`;
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
    return { check: 'port', status: 'ok', detail: `${detail} is free` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE') {
      return { check: 'port', status: 'fail', detail: `${detail}: ${code}`, advice: 'Set another host or port.' };
    }
    const advice = 'If that is not a running coverrank, set another port.';
    return { check: 'port', status: 'warn', detail: `${detail} is taken`, advice };
  } finally {
    server.close();
  }
}

/** Says what a start would find in the data folder, without leaving anything there. */
export async function checkDataFolder(config: Config): Promise<Finding> {
  const check = 'data folder';
  if (!existsSync(config.data_dir)) return { check, status: 'ok', detail: `${config.data_dir} will be made` };
  try {
    const { inspectData } = await import('../../services.ts');
    const found = await inspectData(config);
    if (found === undefined) return { check, status: 'ok', detail: `${config.data_dir} is empty` };
    const more = found.isOld ? ', of an older format: the next start brings them up to date' : '';
    return { check, status: 'ok', detail: `${config.data_dir}: ${found.covers} covers${more}` };
  } catch (error) {
    const detail = (error as Error).message;
    if (isFailure(error, 'data_dir_busy')) {
      return { check, status: 'warn', detail, advice: 'Fine if that is the running service.' };
    }
    return { check, status: 'fail', detail, advice: '`coverrank verify` tells more.' };
  }
}

function nearestFolder(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestFolder(dirname(path));
}

function gib(bytes: number): string {
  return `${(bytes / (1024 * MIB)).toFixed(1)} GiB`;
}
