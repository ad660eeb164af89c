"""Does it pay to look again? The best covers by cosine, reordered by a weighted sum of the cosine and what the heads say."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..covers.collection import Collection
from ..data.tokenizer import Tokenizer
from ..models.uniclip import Uniclip
from .gates import RESAMPLES, Figure, embed_images, look_again

DEPTH = 50
"""covers that are looked at again, as the service does by default"""
CUT = 10
GRID = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8)


@dataclass(frozen=True)
class Candidates:
    """The nearest covers of each query: signals [Q, K, S], of which the first is the cosine; grades [Q, K], ideal DCG [Q]."""

    names: tuple[str, ...]
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
    pictures = [cover.pixels for cover in collection.covers]
    embeddings, tokens = embed_images(model, pictures)
    asked = np.array([concept for concept, _ in collection.queries])
    ids = torch.tensor([tokenizer.encode(query, length) for _, query in collection.queries], device=tokens.device)
    text, states = model.words(ids)
    near = (normalize(text, dim=-1) @ embeddings.T).topk(min(depth, len(collection.covers)), dim=1)
    found = [near.values]
    names = ["cosine"]
    if model.sizes.semantic_layers:
        read = [_yes(model.semantic(tokens[rows], _shared(words, rows))) for rows, words in zip(near.indices, ids, strict=True)]
        semantic = torch.stack(read)
        found.append(semantic)
        names.append("ocr_semantic")
        if model.sizes.presence_layers:
            presence = model.presence(tokens).softmax(-1)[:, 1]
            found.append(semantic * presence[near.indices])
            names.append("ocr_match")
    if model.sizes.matching_layers:
        seen_again = look_again(model, pictures) if model.sizes.matching_vision_layers else tokens
        matching = [_yes(model.match(seen_again[rows], _shared(words, rows))) for rows, words in zip(near.indices, states, strict=True)]
        found.append(torch.stack(matching))
        names.append("itm")
    grades = np.array([[cover.grade(concept) for cover in collection.covers] for concept in asked])
    ideal = _dcg(-np.sort(-grades, axis=1)[:, :CUT])
    seen = np.take_along_axis(grades, near.indices.cpu().numpy(), 1)
    return Candidates(tuple(names), torch.stack(found, -1).cpu().numpy(), seen, ideal, asked)


def _shared(text: Tensor, covers: Tensor) -> Tensor:
    """One text held against each cover."""
    return text.expand(len(covers), 1, *text.shape)


def _yes(logits: Tensor) -> Tensor:
    return logits[:, 0].softmax(-1)[:, 1]


def fit_weights(validation: Candidates) -> tuple[float, ...]:
    """One weight a signal, the cosine's being 1: those of a grid with the best mean NDCG@10."""
    others = len(validation.names) - 1
    tried = {weights: validation.ndcg((1.0, *weights)).mean() for weights in product(GRID, repeat=others)}
    return 1.0, *max(tried, key=lambda weights: tried[weights])


def gain(test: Candidates, weights: Sequence[float]) -> tuple[float, Figure]:
    """NDCG@10 by the cosine alone, and what the weights add, with an interval over concepts."""
    before = test.ndcg([1.0, *[0.0] * (len(test.names) - 1)])
    added = test.ndcg(weights) - before
    by_concept = np.array([added[test.concepts == concept].mean() for concept in np.unique(test.concepts)])
    drawn = np.random.default_rng(0).choice(by_concept, (RESAMPLES, len(by_concept))).mean(1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(before.mean()), Figure(float(added.mean()), float(low), float(high), len(by_concept))
