import { startThread, type Thread, type ThreadMethods } from './thread.ts';

/** A thread that holds nothing: it starts with the first call, and anew with the first one after it died. */
export interface ThreadOnDemand<M extends ThreadMethods> {
  running(): Promise<Thread<M>>;
  close(): Promise<void>;
}

export function createThreadOnDemand<M extends ThreadMethods>(
  url: URL,
  options: { readonly name: string },
): ThreadOnDemand<M> {
  let thread: Promise<Thread<M>> | undefined;
  return {
    running() {
      if (thread !== undefined) return thread;
      const started = startThread<M>(url, undefined, options);
      thread = started;
      const forget = (): void => {
        if (thread === started) thread = undefined;
      };
      started.then(({ died }) => died.then(forget), forget);
      return started;
    },
    async close() {
      const last = await thread?.catch(() => undefined);
      await last?.close();
    },
  };
}
