import { clientSignal, holdPlace } from '../../client-signal.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { SnapshotAnswer } from '../../schemas/covers.ts';

const schema = {
  operationId: 'snapshot',
  tags: ['operations'],
  summary: 'Save a consistent copy of the index',
  description: "Puts store and graph under the data folder's `snapshots/`; reads and writes go on meanwhile.",
  response: { 200: answer('The copy.', SnapshotAnswer), ...problems({ codes: ['overloaded', 'storage_full'] }) },
};

export const addSnapshot: AddRoute = (app, { lifecycle, gates }) => {
  app.post('/snapshot', { schema, config: { scope: 'admin', work: 'index' } }, async (request, reply) => {
    const { index } = lifecycle.services();
    await holdPlace(gates.index, reply, clientSignal(reply));
    request.raw.socket.setTimeout?.(0);
    const { name, sequence, covers, bytes, createdAt } = await index.snapshot();
    return { request_id: request.id, name, sequence, covers, bytes, created_at: createdAt };
  });
};
