import { failure } from '../../src/core/errors.ts';
import { moved, serveThread } from '../../src/core/thread.ts';

/** A thread to call in tests. */
export type EchoMethods = {
  echo(value: unknown): Promise<unknown>;
  double(numbers: Float32Array): Promise<Float32Array>;
  refuse(detail: string): Promise<never>;
  exit(code: number): Promise<never>;
};

await serveThread<{ broken?: boolean }>(({ broken }) => {
  if (broken === true) throw failure('invalid_bundle', 'The thread was told to be broken.');
  return {
    echo: async (value: unknown) => value,
    double: async (numbers: Float32Array) => {
      const doubled = numbers.map((number) => number * 2);
      return moved(doubled, [doubled.buffer as ArrayBuffer]);
    },
    refuse: async (detail: string) => {
      throw failure('undecodable_image', detail);
    },
    exit: (code: number) => process.exit(code),
  };
});
