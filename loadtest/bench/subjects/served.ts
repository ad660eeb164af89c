import { fileURLToPath } from 'node:url';
import { type ServiceOptions, startService } from '../../service.ts';
import { createLoadTarget, type LoadTarget } from './load-target.ts';

const CLI = fileURLToPath(new URL('../../../src/cli.js', import.meta.url));
/** Opening a large data folder on a slow disk takes its time. */
const READY_WITHIN_MS = 600_000;

/** `coverrank serve` in a process of its own; closing ends it, as does a `prepare` that fails. */
export async function serve(
  options: ServiceOptions,
  nextQuery: () => string,
  prepare: (target: LoadTarget) => Promise<void> = async () => {},
): Promise<LoadTarget> {
  const service = await startService(CLI, { readyWithinMs: READY_WITHIN_MS, ...options });
  const target = createLoadTarget(service.url, nextQuery);
  const close = async (): Promise<void> => {
    await target.close();
    await service.stop();
  };
  try {
    await prepare(target);
  } catch (error) {
    await close();
    throw error;
  }
  return { ...target, close };
}
