import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { quantiseColumns, quantiseRows } from '../../src/convert/quantise.ts';

const matrix = fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 })).chain(([rows, columns]) =>
  fc.record({
    rows: fc.constant(rows),
    columns: fc.constant(columns),
    values: fc.float32Array({ minLength: rows * columns, maxLength: rows * columns, noNaN: true, min: -1e6, max: 1e6 }),
  }),
);

test('every value is within half a step of its own column or row', () => {
  fc.assert(
    fc.property(matrix, ({ columns, values }) => {
      const byColumn = quantiseColumns(values, columns);
      const byRow = quantiseRows(values, columns);
      values.forEach((value, index) => {
        const columnScale = byColumn.scales[index % columns] ?? 0;
        const rowScale = byRow.scales[Math.floor(index / columns)] ?? 0;
        assert.ok(Math.abs(value - (byColumn.values[index] ?? 0) * columnScale) <= columnScale * 0.501 + 1e-30);
        assert.ok(Math.abs(value - (byRow.values[index] ?? 0) * rowScale) <= rowScale * 0.501 + 1e-30);
      });
    }),
  );
});

test('the largest magnitude of a column becomes 127 and zeros stay zero', () => {
  const { values, scales } = quantiseColumns(Float32Array.of(1, 0, -2, 0), 2);
  assert.deepEqual([...values], [64, 0, -127, 0]);
  assert.deepEqual([...scales], [Math.fround(2 / 127), 1]);
});
