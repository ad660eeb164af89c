"""UniCLIP's objective: .8 contrastive + .1 presence + .1 semantic (arXiv 2401.10475)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..distributed import gather

WEIGHTS = {"contrastive": 0.8, "presence": 0.1, "semantic": 0.1}


def contrastive(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    """[B, E] embeddings of pairs, not normalised. InfoNCE in both directions over the batches of all processes.

    Every process computes the whole loss, so that the mean of their gradients is its gradient.
    """
    image = gather(F.normalize(image.float(), dim=-1))
    text = gather(F.normalize(text.float(), dim=-1))
    logits = scale.float() * image @ text.T
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def presence(logits: Tensor, has_text: Tensor) -> Tensor:
    """[B, 2] logits, [B] whether text is drawn"""
    return F.cross_entropy(logits.float(), has_text.long())


def semantic(logits: Tensor, labels: Tensor) -> Tensor:
    """[B, Q, 2] logits, [B, Q] labels; pairs labelled -1 do not count"""
    labels = labels.flatten()
    if not (labels >= 0).any():
        return logits.float().sum() * 0
    return F.cross_entropy(logits.float().flatten(0, 1), labels.long(), ignore_index=-1)
