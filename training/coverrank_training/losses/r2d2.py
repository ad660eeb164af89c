"""R2D2's objective: contrastive pre-ranking, and image-text matching with hard negatives (arXiv 2205.03860).

The momentum encoders and the distillation of the paper are left out: they need a second copy of the model and the queue
that pre-training kept, and neither is in a published file.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..distributed import gather

WEIGHTS = {"contrastive": 1.0, "matching": 1.0}

TEMPERATURES = (0.001, 0.5)
"""the temperature divides, and is kept within these as the authors' fine-tuning does"""


def pre_ranking(image: Tensor, text: Tensor, temperature: Tensor) -> Tensor:
    """[B, E] embeddings, not normalised; InfoNCE in both directions over the batches of all processes."""
    image = gather(F.normalize(image.float(), dim=-1))
    text = gather(F.normalize(text.float(), dim=-1))
    logits = image @ text.T / temperature.float().clamp(*TEMPERATURES)
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def hard_negatives(similarity: Tensor, same: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """[B, B] image-text logits -> for each image the index of another's text, for each text that of another image.

    Drawn in proportion to the softmax, so that what is nearly right is drawn most. `same` [B, B] marks the pairs that are
    no negatives: the diagonal, and texts that occur more than once.
    """
    masked = similarity.float().masked_fill(same, float("-inf"))
    return tuple(_draw(rows, generator) for rows in (masked, masked.T))  # type: ignore[return-value]


def _draw(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    chances = logits.softmax(-1).nan_to_num(0)
    chances[chances.sum(-1) == 0] = 1 / chances.shape[-1]
    return torch.multinomial(chances, 1, generator=generator)[:, 0]


def matching(by_text: Tensor, by_image: Tensor, labels: Tensor) -> Tensor:
    """Fine-grained ranking: [P, 2] logits of both joint stacks, [P] labels; their mean cross-entropy"""
    labels = labels.long()
    return (F.cross_entropy(by_text.float(), labels) + F.cross_entropy(by_image.float(), labels)) / 2
