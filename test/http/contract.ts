import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** What of an OpenAPI document the tests look at. */
export interface Operation {
  readonly operationId: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: object }>> }>>;
}

export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

export interface ContractAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number | string[] | undefined>>;
  readonly body: unknown;
}

/** Holds answers against the document: the status is one that is documented, and the body has its schema. */
export function createContract(swagger: unknown) {
  const document = swagger as Document;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'openapi', components: document.components });
  const validators = new Map<object, ValidateFunction>();
  const templates = Object.keys(document.paths).map((path) => ({
    path,
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
  }));

  function validatorOf(schema: object): ValidateFunction {
    let validate = validators.get(schema);
    if (validate === undefined) {
      validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/')));
      validators.set(schema, validate);
    }
    return validate;
  }

  return {
    document,
    check(method: string, url: string, { status, headers, body }: ContractAnswer): void {
      const where = `${method} ${url} → ${status}`;
      assert.ok(headers['x-request-id'], `${where} has no request id`);
      const path = templates.find(({ pattern }) => pattern.test(url.split('?')[0] ?? ''))?.path;
      const operation = path === undefined ? undefined : document.paths[path]?.[method.toLowerCase()];
      if (operation === undefined) {
        // Not documented because it is not there: then the answer says so.
        if (status !== 404 && status !== 405) return;
        assert.ok(validatorOf({ $ref: '#/components/schemas/Problem' })(body), where);
        return;
      }
      const documented = operation.responses[status];
      assert.ok(documented, `${where} is not documented`);
      if (documented.content === undefined) return;
      const type = String(headers['content-type']).split(';')[0] ?? '';
      const schema = documented.content[type]?.schema;
      assert.ok(schema, `${where} has the undocumented content type ${type}`);
      if (!type.endsWith('json') || type.endsWith('ndjson')) return;
      const validate = validatorOf(schema);
      assert.ok(validate(body), `${where}: ${ajv.errorsText(validate.errors)}`);
    },
  };
}
