import { DEFAULTS, LIMITS } from '../../limits.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { SettingsAnswer } from '../../schemas/settings.ts';

const schema = {
  operationId: 'getSettings',
  tags: ['ranking'],
  summary: 'What /rank works with',
  description: 'Signals that can be weighed, the weights and numbers of a request that brings none, other services.',
  response: { 200: answer('The settings.', SettingsAnswer), ...problems() },
};

export const addGetSettings: AddRoute = (app, { lifecycle, config }) => {
  app.get('/settings', { schema, config: { scope: ['rank', 'index'] } }, async () => {
    const { ranker } = lifecycle.services();
    return {
      signals: [...ranker.signals],
      weights: { ...ranker.weights },
      defaults: {
        top_n: DEFAULTS.topN,
        recall_k: DEFAULTS.recallK,
        rerank_k: DEFAULTS.rerankK,
        deadline_ms: DEFAULTS.deadlineMs,
      },
      limits: {
        query_characters: LIMITS.queryCharacters,
        top_n: LIMITS.topN,
        recall_k: LIMITS.recallK,
        deadline_ms: LIMITS.deadlineMs,
        index_items: LIMITS.indexItems,
        image_bytes: config.limits.image_max_bytes,
      },
      services: config.peers.map(({ name }) => name),
    };
  });
};
