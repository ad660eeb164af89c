/** How a reranker that was exported to another server is found there and told from others. */

/** Parameters of the served model that name the bundle it was made from. */
export const SERVED_PARAMETERS = { bundle: 'coverrank_bundle', hash: 'coverrank_bundle_hash' } as const;

/** The name under which a bundle's reranker is served unless another was chosen: fit for a folder and for a URL. */
export function servedModelName(bundleName: string): string {
  return bundleName.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replace(/^\.+/, '') || 'reranker';
}
