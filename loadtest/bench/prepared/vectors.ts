import { dot } from '../../../src/core/dot.ts';
import { createRandom, type Random } from '../../random.ts';

/**
 * Unit vectors as a trained encoder makes them, as near as random numbers get: points of a mixture of many small
 * clusters in a latent space of few dimensions, mapped linearly into all dimensions, with a little noise in each.
 * Uniform random vectors would all be equally far apart, and no graph could find anything among them.
 */
export interface VectorSource {
  next(): Float32Array;
}

export interface VectorOptions {
  readonly dim: number;
  /** Vectors that the mixture is made for: it has the square root of that many clusters. */
  readonly count: number;
  /** Sources that differ in it alone draw from the same mixture. */
  readonly draw: number;
}

const MIXTURE_SEED = 7;
const LATENT = 32;
const LEAST_CLUSTERS = 16;
/** Standard deviations: within a cluster, whose centres have 1, and of the noise. */
const WITHIN = 0.5;
const NOISE = 0.1;

export function createVectorSource({ dim, count, draw }: VectorOptions): VectorSource {
  const mixture = createMixture(dim, Math.max(LEAST_CLUSTERS, Math.round(Math.sqrt(count))));
  const random = createRandom(draw);
  const normal = createNormal(random);

  return {
    next() {
      const centre = mixture.centres[mixture.pick(random())] as Float32Array;
      const vector = Float32Array.from({ length: dim }, () => NOISE * normal());
      for (let axis = 0; axis < LATENT; axis++) {
        const place = (centre[axis] as number) + WITHIN * normal();
        const direction = mixture.basis[axis] as Float32Array;
        for (let i = 0; i < dim; i++) vector[i] = (vector[i] as number) + place * (direction[i] as number);
      }
      return normalise(vector);
    },
  };
}

interface Mixture {
  readonly centres: readonly Float32Array[];
  /** [LATENT][dim] */
  readonly basis: readonly Float32Array[];
  /** The cluster at a share (0 to 1) of all vectors. */
  pick(share: number): number;
}

function createMixture(dim: number, clusters: number): Mixture {
  const random = createRandom(MIXTURE_SEED);
  const normal = createNormal(random);
  const normals = (length: number, scale: number) => Float32Array.from({ length }, () => scale * normal());
  const centres = Array.from({ length: clusters }, () => normals(LATENT, 1));
  const basis = Array.from({ length: LATENT }, () => normals(dim, 1 / Math.sqrt(LATENT)));
  // Exponential weights, divided by their sum, are Dirichlet(1): a few large topics, many small ones.
  const weights = Array.from({ length: clusters }, () => -Math.log(1 - random()));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const ends = weights.map((weight) => {
    sum += weight / total;
    return sum;
  });
  const pick = (share: number): number => {
    let low = 0;
    let high = clusters - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] as number) < share) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return { centres, basis, pick };
}

/** Normally distributed numbers, by Box and Muller, who give two at a time. */
function createNormal(random: Random): () => number {
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

function normalise(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}
