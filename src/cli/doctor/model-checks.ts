import type { Config } from '../../config-schema.ts';
import { isFailure } from '../../core/errors.ts';
import type { Reranker } from '../../services.ts';
import type { Finding } from './machine-checks.ts';

/** Verifies the bundle's files, loads its graphs and runs its self-test. */
export async function checkModel(config: Config): Promise<Finding> {
  const { openModel } = await import('../../services.ts');
  const loadReranker = config.rerank_model === '' && config.rerank_url === '';
  return checkBundle('model', () => openModel(config.model, { ...config, loadReranker }));
}

/** The same for the bundle that only reranks. */
export async function checkReranker(config: Config): Promise<Finding> {
  const { openReranker } = await import('../../services.ts');
  const loadReranker = config.rerank_url === '';
  return checkBundle('rerank_model', () => openReranker(config.rerank_model, { ...config, loadReranker }));
}

async function checkBundle(check: 'model' | 'rerank_model', open: () => Promise<Reranker>): Promise<Finding> {
  try {
    const model = await open();
    const { name, hash, graphs } = model.bundle.manifest;
    await model.close();
    const detail = `${name} (${hash.slice(0, 12)}), ${graphs.text.precision}, passes its self-test`;
    return { check, status: 'ok', detail };
  } catch (error) {
    const advice = `Set ${check} to the folder of a whole bundle, or make it again with \`coverrank convert\`.`;
    return { check, status: 'fail', detail: (error as Error).message, advice };
  }
}

/** Asks the server behind `rerank_url` whether it is there, has the model, and made it from this bundle. */
export async function checkRerankServer({ rerank_url: url, rerank_model, model }: Config): Promise<Finding> {
  const check = 'rerank_url';
  const { askRerankServer, readManifest } = await import('../../services.ts');
  try {
    const manifest = readManifest(rerank_model || model);
    const { maxBatch, isHashKnown } = await askRerankServer(url, manifest);
    const serves = `${url} serves ${manifest.name}${maxBatch === undefined ? '' : `, ${maxBatch} pairs a call`}`;
    if (isHashKnown)
      return { check, status: 'ok', detail: `${serves}, of this bundle (${manifest.hash.slice(0, 12)})` };
    const advice = `Make sure yourself that it was exported from ${manifest.hash}.`;
    return { check, status: 'warn', detail: `${serves}, but does not tell from which bundle`, advice };
  } catch (error) {
    return { check, status: 'fail', detail: `${url}: ${describe(error)}`, advice: adviceOn(error) };
  }
}

/** With the reason that the operating system gave, where there is one. */
function describe(error: unknown): string {
  const { message, cause } = error as Error;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return code === undefined ? message : `${message} (${code})`;
}

function adviceOn(error: unknown): string {
  if (isFailure(error, 'invalid_bundle')) return 'Set model or rerank_model to a bundle with a reranker.';
  if (isFailure(error, 'invalid_config')) {
    return 'Export the configured bundle with `coverrank export triton` and load it there, or set rerank_url to where it is.';
  }
  return 'Start the server, load the model there, or correct rerank_url: until then /rank answers in recall order.';
}
