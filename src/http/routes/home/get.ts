import type { AddRoute } from '../../route.ts';

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>coverrank</title>
<h1>coverrank</h1>
<p>Search ranking for short-video covers.</p>
<ul>
<li><a href="/docs">The interface, to read and to try</a> (<a href="/openapi.json">OpenAPI document</a>)</li>
<li><a href="/readyz?verbose">Is it ready?</a></li>
<li><a href="/metrics">Metrics</a></li>
</ul>
</html>
`;

export const addHome: AddRoute = (app) => {
  app.get('/', { schema: { hide: true }, config: { public: true } }, async (_request, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', "default-src 'none'").send(PAGE),
  );
};
