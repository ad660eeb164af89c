"""softmax(Q K^T / sqrt(d)) V, in whichever way the device learns fastest by."""

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """[B, H, L, D], [B, H, M, D], [B, H, M, D] -> [B, H, L, D]; `mask` is True where a query may look."""
    if query.device.type == "cpu" and torch.is_grad_enabled():
        # The fused kernel's way back is slow on CPUs: written out, a step of the demo model takes two thirds of the time.
        scores = query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        return _softmax(scores) @ value
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def _softmax(scores: Tensor) -> Tensor:
    with torch.autocast(scores.device.type, enabled=False):
        return scores.softmax(-1)
