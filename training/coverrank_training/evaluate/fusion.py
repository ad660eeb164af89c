"""Does it pay to look again? The best covers by cosine, reordered by a weighted sum of the cosine and the OCR heads."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch.nn.functional import normalize

from ..covers.collection import Collection
from ..data.tokenizer import Tokenizer
from ..models.uniclip import Uniclip
from .gates import RESAMPLES, Figure, embed_images

DEPTH = 50
"""covers that are looked at again, as the service does by default"""
CUT = 10
GRID = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Candidates:
    """The nearest covers of each query: signals [Q, K, 3] (cosine, ocr_semantic, ocr_match), grades [Q, K], ideal DCG [Q]."""

    signals: np.ndarray
    grades: np.ndarray
    ideal: np.ndarray
    concepts: np.ndarray

    def ndcg(self, weights: Sequence[float]) -> np.ndarray:
        """NDCG@10 of each query; a cover that is not among the candidates cannot be ranked."""
        order = np.argsort(-(self.signals @ np.asarray(weights)), axis=1, kind="stable")[:, :CUT]
        return _dcg(np.take_along_axis(self.grades, order, 1)) / self.ideal


def _dcg(grades: np.ndarray) -> np.ndarray:
    return ((2.0**grades - 1) / np.log2(np.arange(2, grades.shape[1] + 2))).sum(1)


@torch.no_grad()
def find_candidates(model: Uniclip, collection: Collection, tokenizer: Tokenizer, length: int, depth: int = DEPTH) -> Candidates:
    embeddings, tokens = embed_images(model, [cover.pixels for cover in collection.covers])
    presence = model.presence(tokens).softmax(-1)[:, 1]
    asked = np.array([concept for concept, _ in collection.queries])
    ids = torch.tensor([tokenizer.encode(query, length) for _, query in collection.queries])
    similarity = normalize(model.text(ids), dim=-1) @ embeddings.T
    near = similarity.topk(min(depth, len(collection.covers)), dim=1)
    semantic = torch.stack([_semantic(model, tokens[rows], words) for rows, words in zip(near.indices, ids, strict=True)])
    signals = torch.stack([near.values, semantic, semantic * presence[near.indices]], -1).numpy()
    grades = np.array([[cover.grade(concept) for cover in collection.covers] for concept in asked])
    ideal = _dcg(-np.sort(-grades, axis=1)[:, :CUT])
    return Candidates(signals, np.take_along_axis(grades, near.indices.numpy(), 1), ideal, asked)


def _semantic(model: Uniclip, tokens: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    pairs = words.expand(len(tokens), 1, -1)
    return model.semantic(tokens, pairs)[:, 0].softmax(-1)[:, 1]


def fit_weights(validation: Candidates) -> tuple[float, float, float]:
    """Of the cosine (1), ocr_semantic and ocr_match: those of a grid with the best mean NDCG@10."""
    tried = {weights: validation.ndcg((1.0, *weights)).mean() for weights in product(GRID, GRID)}
    semantic, match = max(tried, key=lambda weights: tried[weights])
    return 1.0, semantic, match


def gain(test: Candidates, weights: Sequence[float]) -> tuple[float, Figure]:
    """NDCG@10 by the cosine alone, and what the weights add, with an interval over concepts."""
    before = test.ndcg((1.0, 0.0, 0.0))
    added = test.ndcg(weights) - before
    by_concept = np.array([added[test.concepts == concept].mean() for concept in np.unique(test.concepts)])
    drawn = np.random.default_rng(0).choice(by_concept, (RESAMPLES, len(by_concept))).mean(1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(before.mean()), Figure(float(added.mean()), float(low), float(high), len(by_concept))
