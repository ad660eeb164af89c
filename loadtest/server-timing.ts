/** Stage times in milliseconds of a `Server-Timing` header (`embed;dur=5.1, recall;dur=0.8`), in its order. */
export function parseServerTiming(header: string): [stage: string, ms: number][] {
  return header.split(',').flatMap((metric): [string, number][] => {
    const [name = '', ...parameters] = metric.split(';').map((part) => part.trim());
    const duration = parameters.find((parameter) => parameter.startsWith('dur='))?.slice('dur='.length);
    return name === '' || duration === undefined || !Number.isFinite(Number(duration))
      ? []
      : [[name, Number(duration)]];
  });
}
