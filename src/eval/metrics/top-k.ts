/**
 * Score of the pairs that a top-k protocol never looks at, as R2D2 has it: below every score that can come up, so that
 * they rank last.
 */
export const FILL_SCORE = -100;

/** Items of the `k` highest scores, best first; of equal scores the earlier item. */
export function topK(scores: Float32Array, k: number): number[] {
  const ascending = (a: number, b: number): number => (scores[a] ?? 0) - (scores[b] ?? 0) || b - a;
  if (k >= scores.length) return Array.from(scores.keys()).sort((a, b) => ascending(b, a));
  // A heap with the worst of the best on top: one pass, and most items are turned away by one comparison.
  const heap: number[] = [];
  for (let item = 0; item < scores.length; item++) {
    if (heap.length < k) {
      heap.push(item);
      siftUp(heap, ascending);
    } else if (k > 0 && ascending(item, heap[0] ?? 0) > 0) {
      heap[0] = item;
      siftDown(heap, ascending);
    }
  }
  return heap.sort((a, b) => ascending(b, a));
}

type Order = (a: number, b: number) => number;

function siftUp(heap: number[], order: Order): void {
  let child = heap.length - 1;
  while (child > 0) {
    const parent = (child - 1) >> 1;
    if (order(heap[child] ?? 0, heap[parent] ?? 0) >= 0) return;
    swap(heap, child, parent);
    child = parent;
  }
}

function siftDown(heap: number[], order: Order): void {
  let parent = 0;
  for (;;) {
    const left = 2 * parent + 1;
    if (left >= heap.length) return;
    const right = left + 1;
    const child = right < heap.length && order(heap[right] ?? 0, heap[left] ?? 0) < 0 ? right : left;
    if (order(heap[parent] ?? 0, heap[child] ?? 0) <= 0) return;
    swap(heap, parent, child);
    parent = child;
  }
}

function swap(heap: number[], a: number, b: number): void {
  [heap[a], heap[b]] = [heap[b] ?? 0, heap[a] ?? 0];
}
