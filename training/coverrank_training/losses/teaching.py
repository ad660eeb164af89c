"""What synthetic covers can teach beyond pairs, because it is known what was drawn where.

Labels for every patch make small models learn from some ten times fewer covers than pairs alone do: heads that are thrown
away afterwards tell, from the image tokens, which concept lies under a patch, which word is drawn there, and what the title
says.
"""

from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.blocks import Attention

PATCHES_PER_COVER = 16
NOTHING_WEIGHT = 0.15
TITLE_SHARE = 1 / 3
"""of what a main object counts, as its gain in DCG is: without it covers whose title names a query are not recalled"""
SMALL_SHARE = 0.08
"""of what a main object counts: little, as hardly any can be told from so few pixels"""


@dataclass(frozen=True)
class Lesson:
    """Concepts, -1 for none: main [B], titled [B], small [B, 2]; and of every patch [B, P], `concepts` for none."""

    main: Tensor
    titled: Tensor
    small: Tensor
    objects: Tensor
    words: Tensor
    characters: Tensor
    """those of the title under each patch [B, P, 3], -1 where there are fewer"""
    asked: Tensor
    """the concept that each cover's text asks for [B]"""

    def at(self, patches: Tensor) -> "Lesson":
        """What is known of some patches alone, [B, K]"""
        characters = self.characters.gather(1, patches[..., None].expand(-1, -1, self.characters.shape[-1]))
        return replace(self, objects=self.objects.gather(1, patches), words=self.words.gather(1, patches), characters=characters)

    def of(self, covers: slice) -> "Lesson":
        """What is known of some covers alone."""
        return replace(self, **{f.name: getattr(self, f.name)[covers] for f in fields(self)})


def embedding_shares(lesson: Lesson, concepts: int) -> Tensor:
    """[B, C]: what a cover's embedding is about: its main object, less its title, and a little of its small objects."""
    shares = torch.zeros(len(lesson.main), concepts, device=lesson.main.device)
    rows = torch.arange(len(shares), device=shares.device)
    for other, share in [*((small, SMALL_SHARE) for small in lesson.small.T), (lesson.titled, TITLE_SHARE)]:
        there = other >= 0
        shares[rows[there], other[there]] = share
    shares[rows, torch.where(lesson.main >= 0, lesson.main, lesson.titled)] = 1
    return shares / shares.sum(1, keepdim=True)


class Teacher(nn.Module):
    """Heads for training only. `prototypes` are one embedding per concept, shared by images and texts."""

    def __init__(self, width: int, embedding: int, concepts: int, characters: int, heads: int):
        super().__init__()
        self.concepts = concepts
        self.prototypes = nn.Parameter(F.normalize(torch.randn(concepts, embedding), dim=-1))
        self.norm = nn.LayerNorm(width)
        self.reader_query = nn.Parameter(0.05 * torch.randn(1, width))
        self.reader = Attention(width, heads)
        self.title = nn.Linear(width, concepts)
        self.main = nn.Linear(width, concepts)
        self.objects = nn.Linear(width, concepts + 1)
        self.words = nn.Linear(width, concepts + 1)
        self.characters = nn.Linear(width, characters + 1)

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """What the title says, as logits over concepts [B, C], and the normalised tokens."""
        normed = self.norm(tokens)
        query = self.reader_query.to(normed.dtype).expand(len(normed), 1, -1)
        return self.title(self.reader(query, normed, normed)[:, 0]), normed

    def nearness(self, embeddings: Tensor) -> Tensor:
        """[B, E] -> [B, C]: dot products with the concepts' prototypes"""
        return embeddings @ F.normalize(self.prototypes.float(), dim=-1).T

    def forward(
        self, image: Tensor, tokens: Tensor, text: Tensor, scale: Tensor, lesson: Lesson, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        image_logits = self.nearness(scale * F.normalize(image.float(), dim=-1))
        text_logits = self.nearness(scale * F.normalize(text.float(), dim=-1))
        return {
            "concept": soft_cross_entropy(image_logits, embedding_shares(lesson, self.concepts)),
            "query": F.cross_entropy(text_logits, lesson.asked),
            **self.labels(tokens, lesson, generator),
        }

    def labels(self, tokens: Tensor, lesson: Lesson, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """What the tokens tell of the cover and of some of its patches."""
        title, normed = self.read(tokens)
        picked = torch.rand(lesson.objects.shape, generator=generator).argsort(1)[:, :PATCHES_PER_COVER].to(tokens.device)
        seen = lesson.at(picked)
        patches = normed[:, 1:].gather(1, picked[..., None].expand(-1, -1, normed.shape[-1]))
        return {
            "title": _known(title, lesson.titled, 0.03),
            "main": _known(self.main(normed[:, 0]), lesson.main),
            "objects": self._patchwise(self.objects(patches), seen.objects),
            "words": self._patchwise(self.words(patches), seen.words),
            "characters": _spelling(self.characters(patches), seen.characters),
        }

    def _patchwise(self, logits: Tensor, labels: Tensor) -> Tensor:
        weights = torch.ones(self.concepts + 1, device=logits.device)
        weights[self.concepts] = NOTHING_WEIGHT
        return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), weight=weights)


def _known(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    if not (labels >= 0).any():
        return logits.float().sum() * 0
    return F.cross_entropy(logits.float(), labels, ignore_index=-1, label_smoothing=smoothing)


def _spelling(logits: Tensor, characters: Tensor) -> Tensor:
    """The last class means that there is none; such patches count little, as they are most."""
    chances = logits.float().log_softmax(-1)
    known = characters >= 0
    number = known.sum(-1)
    spelled = (chances.gather(-1, characters.clamp(min=0)) * known).sum(-1) / number.clamp(min=1)
    losses = -torch.where(number > 0, spelled, chances[..., -1])
    weights = torch.where(number > 0, 1.0, NOTHING_WEIGHT)
    return (weights * losses).sum() / weights.sum()


def soft_cross_entropy(logits: Tensor, shares: Tensor) -> Tensor:
    return -(shares * logits.log_softmax(-1)).sum(-1).mean()
