"""Image-text matching on synthetic covers, where it is known how well every cover answers every query."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .teaching import Lesson

FULL_GAIN = 3.0
"""what a cover of grade 2 adds to DCG; one of grade 1 adds 1"""


def relevance(lesson: Lesson, concepts: Tensor) -> Tensor:
    """[B, Q] concepts -> [B, Q]: what a cover adds to the DCG of a query for each, as a share of the most."""
    main = concepts == lesson.main[:, None]
    named = concepts == lesson.titled[:, None]
    small = (concepts[..., None] == lesson.small[:, None]).any(-1)
    return torch.where(main, 1.0, torch.where(named | small, 1 / FULL_GAIN, 0.0))


def hard_concepts(lesson: Lesson, logits: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
    """[B, C] logits of the covers over all concepts -> [B, count] concepts to hold against each cover.

    The one that its text asks for, others in proportion to the softmax, which would stand beside it at the top of a ranking,
    and one that its title or a smaller object stands for where there is one.
    """
    own = lesson.asked[:, None]
    chances = logits.detach().float().softmax(-1).cpu().clamp(min=1e-6).scatter(1, own.cpu(), 0.0)
    drawn = torch.multinomial(chances, count - 1, generator=generator).to(own.device)
    beside = torch.where(lesson.titled == lesson.asked, lesson.small[:, 0], lesson.titled)
    last = torch.where(beside >= 0, beside, drawn[:, -1])
    return torch.cat([own, drawn[:, :-1], last[:, None]], 1)


def graded(logits: Tensor, shares: Tensor) -> Tensor:
    """[B, Q, 2] logits against the probabilities of a match [B, Q]: their mean cross-entropy"""
    targets = torch.stack([1 - shares, shares], -1)
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(0, 1))
