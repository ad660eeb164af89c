import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';

type BuildSerializer = ReturnType<typeof SerializerSelector>;

/**
 * Fastify's own serializers of answers, each compiled with the first answer that needs it: most of them are for problems
 * that hardly ever happen, and compiling all of them takes a good part of the time until the service listens.
 */
export function createSerializers(): BuildSerializer {
  const buildAtOnce = SerializerSelector();
  return (schemas, options) => {
    const compile = buildAtOnce(schemas, options);
    return (route) => {
      let serialize: ReturnType<typeof compile> | undefined;
      return (answer) => {
        serialize ??= compile(route);
        return serialize(answer);
      };
    };
  };
}
