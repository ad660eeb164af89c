import { fileURLToPath } from 'node:url';
import { type ServiceOptions, startService } from '../../service.ts';
import { createLoadTarget, type LoadTarget } from './load-target.ts';

const CLI = fileURLToPath(new URL('../../../src/cli.js', import.meta.url));
/** Opening a large data folder on a slow disk takes its time. */
const READY_WITHIN_MS = 600_000;

/** `coverrank serve` in a process of its own; closing ends it. */
export async function serve(options: ServiceOptions, nextQuery: () => string): Promise<LoadTarget> {
  const service = await startService(CLI, { readyWithinMs: READY_WITHIN_MS, ...options });
  const target = createLoadTarget(service.url, nextQuery);
  return {
    ...target,
    async close() {
      await target.close();
      await service.stop();
    },
  };
}
