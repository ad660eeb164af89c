/**
 * The request as a line for a POSIX shell. A key is never shown: it is read from the variable that the command line
 * reads too.
 */
export function curlLine(origin: string, path: string, body: unknown, withKey: boolean): string {
  return [
    `curl -s ${quoted(`${origin}${path}`)}`,
    `-H ${quoted('content-type: application/json')}`,
    ...(withKey ? ['-H "authorization: Bearer $COVERRANK_API_KEY"'] : []),
    `-d ${quoted(JSON.stringify(body))}`,
  ].join(' \\\n  ');
}

/** Nothing within single quotes means anything to a shell but the quote that ends them. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
