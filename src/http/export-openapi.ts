import pino from 'pino';
import { createApp } from './app.ts';
import { createLifecycle } from './lifecycle.ts';

/** The OpenAPI document as it is committed: made by the application itself, with nothing behind it and no port. */
export async function exportOpenApi(): Promise<string> {
  const config = {
    api_keys: [],
    peers: [],
    trust_proxy: [],
    cors_origins: [],
    limits: {
      rank_concurrency: 1,
      rank_queue: 0,
      index_concurrency: 1,
      index_queue: 0,
      image_max_bytes: 1,
      requests_per_minute: 0,
    },
  };
  const app = await createApp(createLifecycle(), config, pino({ level: 'silent' }));
  try {
    const { body } = await app.inject('/openapi.json');
    return `${JSON.stringify(JSON.parse(body), null, 2)}\n`;
  } finally {
    await app.close();
  }
}
