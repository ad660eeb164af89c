import type { GraphSession, OpenGraph } from '../core/ports.ts';

/** Opens the graph for as long as `use` works with it. */
export async function withGraph<T>(
  openGraph: OpenGraph,
  file: string,
  use: (session: GraphSession) => Promise<T>,
): Promise<T> {
  const session = await openGraph(file);
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}
