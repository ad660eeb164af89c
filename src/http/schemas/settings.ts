import { type Static, Type } from 'typebox';
import { Signals, strict } from './common.ts';

const Count = Type.Integer({ minimum: 0 });

export const SettingsAnswer = strict({
  signals: Type.Array(Type.String(), { description: 'Signals that a weight can be given to.' }),
  weights: Signals,
  defaults: strict({ top_n: Count, recall_k: Count, rerank_k: Count, deadline_ms: Count }),
  limits: strict({
    query_characters: Count,
    top_n: Count,
    recall_k: Count,
    deadline_ms: Count,
    index_items: Count,
    image_bytes: Count,
  }),
  services: Type.Array(Type.String(), { description: 'Names for POST /services/{name}/rank.' }),
});
export type SettingsAnswer = Static<typeof SettingsAnswer>;
