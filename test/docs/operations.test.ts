import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { parse } from 'yaml';
import { packageRoot } from '../../src/core/package-root.ts';
import { openService, sampleItems } from '../http/service.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

const docs = (file: string) => readFile(join(packageRoot, 'docs', file), 'utf8');
const { groups } = parse(await docs('operations/alerts.yml')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const dashboard = await docs('operations/dashboard.json');
const panels = (JSON.parse(dashboard) as { panels: { title: string; targets?: { expr: string }[] }[] }).panels;
const queries = [
  ...rules.map(({ alert, expr }) => ({ name: alert, expr })),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ name: title, expr }))),
];

/** Labels that Prometheus adds to what it scrapes. */
const SCRAPED = new Set(['job', 'instance']);
/** Labels by metric, of a service to which a little of everything happened. `up` is Prometheus' own. */
let metrics: ReadonlyMap<string, ReadonlySet<string>>;
before(async () => {
  const service = await openService();
  try {
    const rerankServer = { status: () => ({ server: 'serving', breaker: 'closed', calls: 1, retries: 0 }) };
    service.lifecycle.ready({ ...service.services, rerankServer });
    const items = [...(await sampleItems(2)), { id: 'bad' }];
    await service.call({ method: 'POST', url: '/index', payload: { items } });
    await service.call({ method: 'POST', url: '/snapshot' });
    await service.call({ method: 'POST', url: '/rank', payload: { query: '猫', deadline_ms: 20_000 } });
    metrics = labelsByMetric((await service.call({ url: '/metrics' })).text);
  } finally {
    await service.close();
  }
});

test('every alert has a section in the runbook, and every section an alert', async () => {
  const sections = [...(await docs('runbook.md')).matchAll(/^## (\w+)$/gm)].map(([, name]) => name);
  assert.deepEqual(
    sections,
    rules.map(({ alert }) => alert),
  );
});

test('alerts and dashboard ask for metrics and labels that the service has', () => {
  assert.ok(queries.length > 40);
  for (const { name, expr } of queries) {
    const used = metricsOf(expr);
    assert.ok(used.length > 0, `${name} asks for no metric`);
    for (const { metric, labels } of used) {
      const known = metrics.get(metric);
      assert.ok(known, `${name}: there is no metric ${metric}`);
      for (const label of labels) {
        assert.ok(known.has(label) || SCRAPED.has(label), `${name}: ${metric} has no label ${label}`);
      }
    }
  }
});

test('the runbook speaks of metrics that there are', async () => {
  for (const [name] of (await docs('runbook.md')).matchAll(/\b(?:coverrank|process|nodejs)_[a-z_]+[a-z]\b/g)) {
    assert.ok(metrics.has(name), name);
  }
});

/** Metrics of a query with the labels that it selects by; those it groups by count for each. */
function metricsOf(expr: string): { metric: string; labels: string[] }[] {
  const grouping = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(/,\s*/));
  return [...expr.matchAll(/\b(up|(?:coverrank|process|nodejs)_[a-z_]+)(?:\{([^}]*)\})?/g)].map(
    ([, metric = '', by = '']) => ({
      metric,
      labels: [...grouping, ...[...by.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label)],
    }),
  );
}

function labelsByMetric(text: string): Map<string, Set<string>> {
  const known = new Map<string, Set<string>>([['up', new Set()]]);
  for (const [, name = ''] of text.matchAll(/^# TYPE (\S+)/gm)) known.set(name, new Set());
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)\{([^\n]*)\} \S+$/gm)) {
    const names = known.get(name) ?? new Set();
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) names.add(label);
    known.set(name, names);
  }
  return known;
}
