/** A line between one producer and one consumer. It holds what it is given: the producer bounds it with Slots. */
export class Channel<T> {
  readonly #values: T[] = [];
  #end: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(value: T): void {
    this.#values.push(value);
    this.#wake?.();
  }

  /** Nothing more comes. With an error, `take` throws it once everything before it was taken. */
  close(error?: unknown): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  /** The next value without waiting, left in the line. */
  peek(): T | undefined {
    return this.#values[0];
  }

  /** The next value; undefined once the line is closed and empty. */
  async take(): Promise<T | undefined> {
    while (this.#values.length === 0) {
      if (this.#end?.error !== undefined) throw this.#end.error;
      if (this.#end !== undefined) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#values.shift();
  }
}

/** A counting semaphore, first come, first served, whose places are given back by someone else than the taker. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async acquire(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
