"""Transformer blocks whose parameters are named as CLIP's and UniCLIP's published checkpoints name them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attend import attend


class Attention(nn.Module):
    """Multi-head attention with stacked query, key and value projections (`in_proj_weight`)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[B, L, W], [B, M, W], [B, M, W] -> [B, L, W]"""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (self._split(F.linear(x, w, b)) for x, w, b in zip((query, key, value), weights, biases, strict=True))
        return self.out_proj(attend(q, k, v).transpose(1, 2).flatten(2))

    def itself(self, x: Tensor) -> Tensor:
        q, k, v = (self._split(part) for part in F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1))
        return self.out_proj(attend(q, k, v).transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Mlp(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.c_fc(x)
        return self.c_proj(hidden * torch.sigmoid(1.702 * hidden))


class EncoderBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.attn = Attention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = Mlp(width)
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn.itself(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class DecoderBlock(nn.Module):
    """Text attends to itself and to an image's tokens; as upstream, keys share their norm with the queries."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.cross_attn = Attention(width, heads)
        self.mlp = Mlp(width)
        self.ln_1 = nn.LayerNorm(width)
        self.ln_2 = nn.LayerNorm(width)
        self.ln_3 = nn.LayerNorm(width)
        self.ln_4 = nn.LayerNorm(width)

    def forward(self, text: Tensor, memory: Tensor) -> Tensor:
        """[B, Q, L, W] and [B, M, W]: Q texts per image share what is computed of the image."""
        images, texts, length, _ = text.shape
        text = text + self.self_attn.itself(self.ln_1(text).flatten(0, 1)).unflatten(0, (images, texts))
        crossed = self.cross_attn(self.ln_2(text).flatten(1, 2), self.ln_2(memory), self.ln_3(memory))
        text = text + crossed.unflatten(1, (texts, length))
        return text + self.mlp(self.ln_4(text))


class Encoder(nn.Module):
    def __init__(self, width: int, layers: int, heads: int):
        super().__init__()
        self.resblocks = nn.ModuleList(EncoderBlock(width, heads) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.resblocks:
            x = block(x)
        return x


class Decoder(nn.Module):
    def __init__(self, width: int, layers: int, heads: int):
        super().__init__()
        self.resblocks = nn.ModuleList(DecoderBlock(width, heads) for _ in range(layers))

    def forward(self, text: Tensor, memory: Tensor) -> Tensor:
        for block in self.resblocks:
            text = block(text, memory)
        return text
