import { TIMEOUTS } from '../../limits.ts';

/** Of the time that a connection may be idle: one that is lost on the way does not end it. */
const SHARE_OF_IDLE = 1 / 3;

/** A space: JSON allows white space before a value, so that whoever reads line by line notices nothing. */
const BEAT = ' ';

export interface HeartbeatOptions {
  /** Milliseconds after which the connection is closed when nothing moves on it; 0 or undefined: never. */
  readonly idleMs: number | undefined;
  /** Asked at each beat. While it says no, nothing is sent, and a silent client is cut off. */
  readonly isWorking: () => boolean;
}

/**
 * The lines, and something in front of one that takes long, so that neither Node nor a proxy takes the connection for
 * idle. Nothing is added while the reader of the answer does not take what it was sent.
 */
export async function* withHeartbeat(
  lines: AsyncIterable<string>,
  { idleMs, isWorking }: HeartbeatOptions,
): AsyncGenerator<string> {
  const everyMs = (idleMs || TIMEOUTS.idleMs) * SHARE_OF_IDLE;
  const iterator = lines[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      const line = await withinTime(next, everyMs);
      if (line === undefined) {
        if (isWorking()) yield BEAT;
        continue;
      }
      if (line.done === true) return;
      yield line.value;
      next = iterator.next();
    }
  } finally {
    next.catch(() => {}); // whoever left early does not hear of it
    await iterator.return?.();
  }
}

/** What the promise brings, or undefined when it takes longer. */
async function withinTime<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
