import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';

/** `coverrank openapi`: the document that the service answers at /openapi.json. */
export function openapiCommand(): Command {
  return new Command('openapi')
    .description('Write the OpenAPI 3.1 document of the service to stdout or to a file.')
    .option('--out <file>', 'file to write')
    .action(async ({ out }: { out?: string }) => {
      const { exportOpenApi } = await import('../server.ts');
      const document = await exportOpenApi();
      if (out === undefined) process.stdout.write(document);
      else await writeFile(out, document);
    });
}
