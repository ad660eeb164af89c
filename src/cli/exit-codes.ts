/** What the exit code of every command means. A wrong configuration counts as wrong use. */
export const EXIT = { done: 0, failed: 1, wrongUse: 2, partlyDone: 3 } as const;
