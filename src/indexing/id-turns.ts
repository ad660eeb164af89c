/** An item's place among those with the same id. */
export interface Turn {
  /** Settles when every earlier item with this id is done. */
  readonly come: Promise<void>;
  /** To be called once the item's effect stands (or there will be none). */
  done(): void;
}

/**
 * Lets items with the same id go one after another, over all jobs, so that each sees what the former left and the last
 * one stands. A turn only ever waits for turns taken before it, so jobs cannot lock each other out.
 */
export function createIdTurns(): (id: string) => Turn {
  const last = new Map<string, Promise<void>>();
  return (id) => {
    const come = last.get(id) ?? Promise.resolve();
    let finish: () => void = () => {};
    const own = new Promise<void>((resolve) => {
      finish = resolve;
    });
    // An item may fail before its turn comes; the one after it still waits for those before.
    const over = Promise.all([come, own]).then(() => {
      if (last.get(id) === over) last.delete(id);
    });
    last.set(id, over);
    return { come, done: finish };
  };
}
