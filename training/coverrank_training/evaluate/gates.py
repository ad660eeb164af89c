"""Does a model recognise what is shown and read what is drawn? Measured on covers of a split that training never saw."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..covers.collection import STYLE
from ..covers.compose import Composer, Cover
from ..covers.phrases import make_query
from ..data.batch import MEAN, STD
from ..data.tokenizer import Tokenizer
from ..models.uniclip import Uniclip

UNLIKE = 0.6
"""a sprite that correlates with no training sprite by as much resembles no training art"""
RESAMPLES = 1000


@dataclass(frozen=True)
class Figure:
    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] of {self.count}"


def mean_figure(outcomes: np.ndarray) -> Figure:
    """The mean with its 95 % bootstrap interval."""
    outcomes = np.asarray(outcomes, np.float64)
    if len(outcomes) == 0:
        return Figure(float("nan"), float("nan"), float("nan"), 0)
    drawn = np.random.default_rng(0).choice(outcomes, (RESAMPLES, len(outcomes))).mean(1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Figure(float(outcomes.mean()), float(low), float(high), len(outcomes))


@dataclass(frozen=True)
class Exam:
    """One cover per concept with a query in each language, and covers whose titles mislead."""

    gallery: list[Cover]
    queries: list[tuple[int, str]]
    misleading: list[tuple[Cover, str, str]]
    """cover, a query for what its title says, a query for what it shows"""


def make_exam(composer: Composer, split: str, seed: int = 5, side: int = 112) -> Exam:
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    concepts = range(len(composer.concepts))
    style = replace(STYLE, side=side)
    gallery = [composer.cover(concept, split, style, rng, noise) for concept in concepts]

    def query(concept: int, language: str) -> str:
        return make_query(composer.concepts[concept].names(language), language, split, rng)

    queries = [(concept, query(concept, language)) for concept in concepts for language in ("zh", "en")]
    always = replace(style, title_share=1.0, misleading_share=1.0)
    misleading = []
    for concept in concepts:
        cover = composer.cover(concept, split, always, rng, noise)
        language = "en" if cover.title and cover.title.isascii() else "zh"
        misleading.append((cover, query(cover.titled, language), query(concept, language)))
    return Exam(gallery, queries, misleading)


@torch.no_grad()
def sit_exam(model: Uniclip, exam: Exam, tokenizer: Tokenizer, length: int, unlike: np.ndarray | None = None) -> dict[str, Figure]:
    """`unlike` [gallery]: which covers' art resembles no training art."""
    embeddings, tokens = embed_images(model, [cover.pixels for cover in exam.gallery])
    texts = torch.tensor([tokenizer.encode(query, length) for _, query in exam.queries], device=embeddings.device)
    similarity = (normalize(model.text(texts).float(), dim=-1) @ embeddings.T).cpu()
    asked = torch.tensor([concept for concept, _ in exam.queries])
    ranks = (similarity > similarity.gather(1, asked[:, None])).sum(1).numpy()
    figures = {"R@1": mean_figure(ranks < 1), "R@10": mean_figure(ranks < 10)}
    if unlike is not None:
        far = unlike[asked.numpy()]
        figures["R@10 art unlike training"] = mean_figure(ranks[far] < 10)
    if model.sizes.presence_layers:
        drawn = torch.tensor([cover.titled >= 0 for cover in exam.gallery])
        figures["presence"] = mean_figure((model.presence(tokens).argmax(-1).bool().cpu() == drawn).numpy())
    if model.sizes.semantic_layers:
        figures |= _reading(model, exam, tokenizer, length)
    return figures


def _reading(model: Uniclip, exam: Exam, tokenizer: Tokenizer, length: int) -> dict[str, Figure]:
    _, tokens = embed_images(model, [cover.pixels for cover, *_ in exam.misleading])
    questions = [[tokenizer.encode(q, length) for q in (title, shown)] for _, title, shown in exam.misleading]
    pairs = zip(tokens.split(100), torch.tensor(questions, device=tokens.device).split(100), strict=True)
    said = torch.cat([model.semantic(t, i).argmax(-1) for t, i in pairs]).cpu().numpy()
    right = np.stack([said[:, 0] == 1, said[:, 1] == 0], 1)
    chinese = np.array([not (cover.title or "").isascii() for cover, *_ in exam.misleading])
    return {
        "titles": mean_figure(right.ravel()),
        "titles, right query": mean_figure(right[:, 0]),
        "titles, the object's name": mean_figure(right[:, 1]),
        "titles in Chinese": mean_figure(right[chinese].ravel()),
        "titles in English": mean_figure(right[~chinese].ravel()),
    }


def embed_images(model: Uniclip, pictures: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Normalised embeddings and tokens, in fp32, where the model is."""
    return _through(model.image, model, pictures)


def look_again(model: Uniclip, pictures: Sequence[np.ndarray]) -> Tensor:
    """The tokens that the matching head looks at."""
    return _through(model.second_look, model, pictures)[1]


def _through(tower: Callable[[Tensor], tuple[Tensor, Tensor]], model: Uniclip, pictures: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    device = model.logit_scale.device
    results = []
    for start in range(0, len(pictures), 100):
        pixels = torch.from_numpy(np.stack(pictures[start : start + 100])).permute(0, 3, 1, 2).float() / 255
        results.append(tower(((pixels - MEAN) / STD).to(device)))
    return normalize(torch.cat([e for e, _ in results]), dim=-1), torch.cat([t for _, t in results])
