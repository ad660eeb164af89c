import type { CoverRecord, Signals } from '../core/types.ts';

/** Weight per signal name; a signal without one weighs 0. */
export type FusionWeights = Readonly<Record<string, number>>;

/** A recalled cover with what is known of it; `reranked` is undefined where the cross-encoder did not get to it. */
export interface Candidate {
  readonly cover: CoverRecord;
  readonly cosine: number;
  /** Place in recall order, from 1. */
  readonly recallRank: number;
  readonly reranked: Signals | undefined;
}

export interface FusedCandidate {
  readonly candidate: Candidate;
  readonly signals: Signals;
  readonly contributions: Signals;
  /** Σ weight × signal. */
  readonly relevanceScore: number;
}

/**
 * Orders candidates by the weighted sum of their signals. Those that were reranked stand before those that were not,
 * since their scores have other terms and cannot be compared; equal scores keep recall order.
 */
export function fuse(candidates: readonly Candidate[], weights: FusionWeights): FusedCandidate[] {
  return candidates
    .map((candidate) => {
      const signals = signalsOf(candidate.cosine, candidate.cover.ocrPresence, candidate.reranked);
      return { candidate, signals, ...weigh(signals, weights) };
    })
    .sort(
      (a, b) =>
        Number(b.candidate.reranked !== undefined) - Number(a.candidate.reranked !== undefined) ||
        b.relevanceScore - a.relevanceScore ||
        a.candidate.recallRank - b.candidate.recallRank,
    );
}

/** Whether covers that were not reranked stay in recall order: then one never passes another that was nearer. */
export function keepsRecallOrder(weights: FusionWeights): boolean {
  return (weights['cosine'] ?? 0) >= 0 && (weights['ocr_presence'] ?? 0) === 0;
}

/**
 * Every signal of a pair: those of the towers, those of the cross-encoder, and those derived from both:
 * `ocr_match` = ocr_presence × ocr_semantic, and `itm` = the mean of itm_text and itm_image (R2D2's own score).
 */
export function signalsOf(cosine: number, ocrPresence: number | undefined, reranked: Signals | undefined): Signals {
  const signals: Record<string, number> = { cosine };
  if (ocrPresence !== undefined) signals['ocr_presence'] = ocrPresence;
  Object.assign(signals, reranked);
  const { ocr_presence: presence, ocr_semantic: semantic, itm_text: itmText, itm_image: itmImage } = signals;
  if (presence !== undefined && semantic !== undefined) signals['ocr_match'] = presence * semantic;
  if (itmText !== undefined && itmImage !== undefined) signals['itm'] = (itmText + itmImage) / 2;
  return signals;
}

/** The terms of Σ weight × signal that are not 0, and their sum. */
export function weigh(
  signals: Signals,
  weights: FusionWeights,
): { readonly contributions: Signals; readonly relevanceScore: number } {
  const contributions: Record<string, number> = {};
  let relevanceScore = 0;
  for (const [name, value] of Object.entries(signals)) {
    const weight = Object.hasOwn(weights, name) ? weights[name] : undefined;
    if (weight === undefined || weight === 0) continue;
    contributions[name] = weight * value;
    relevanceScore += weight * value;
  }
  return { contributions, relevanceScore };
}
