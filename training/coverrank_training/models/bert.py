"""BERT as Chinese RoBERTa-wwm uses it: post-norm, exact GELU, no pooler. With cross-attention, R2D2's joint layers."""

import torch.nn.functional as F
from torch import Tensor, nn

from .attend import attend

EPS = 1e-12


class Embeddings(nn.Module):
    def __init__(self, vocabulary: int, width: int, positions: int):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width, padding_idx=0)
        self.position_embeddings = nn.Embedding(positions, width)
        self.token_type_embeddings = nn.Embedding(2, width)
        self.LayerNorm = nn.LayerNorm(width, eps=EPS)
        for table in (self.word_embeddings, self.position_embeddings, self.token_type_embeddings):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: ids.shape[-1]]
        return self.LayerNorm(self.word_embeddings(ids) + positions + self.token_type_embeddings.weight[0])


class _Projections(nn.Module):
    def __init__(self, width: int, memory_width: int):
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(memory_width, width)
        self.value = nn.Linear(memory_width, width)


class _Output(nn.Module):
    def __init__(self, inner: int, width: int):
        super().__init__()
        self.dense = nn.Linear(inner, width)
        self.LayerNorm = nn.LayerNorm(width, eps=EPS)

    def forward(self, hidden: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(residual + self.dense(hidden))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, memory_width: int):
        super().__init__()
        self.heads = heads
        self.add_module("self", _Projections(width, memory_width))
        self.output = _Output(width, width)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None) -> Tensor:
        project = self.get_submodule("self")
        q, k, v = (
            layer(source).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, source in ((project.query, x), (project.key, memory), (project.value, memory))
        )
        return self.output(attend(q, k, v, mask).transpose(1, 2).flatten(2), x)


class _Intermediate(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.dense = nn.Linear(width, inner)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.dense(x))


class Layer(nn.Module):
    def __init__(self, width: int, heads: int, inner: int, memory_width: int | None = None):
        super().__init__()
        self.attention = _Attention(width, heads, width)
        if memory_width is not None:
            self.crossattention = _Attention(width, heads, memory_width)
        self.intermediate = _Intermediate(width, inner)
        self.output = _Output(inner, width)

    def forward(self, x: Tensor, mask: Tensor | None, memory: Tensor | None = None, memory_mask: Tensor | None = None) -> Tensor:
        x = self.attention(x, x, mask)
        if memory is not None:
            x = self.crossattention(x, memory, memory_mask)
        return self.output(self.intermediate(x), x)


class Layers(nn.Module):
    def __init__(self, count: int, width: int, heads: int, inner: int, memory_width: int | None = None):
        super().__init__()
        self.layer = nn.ModuleList(Layer(width, heads, inner, memory_width) for _ in range(count))

    def forward(self, x: Tensor, mask: Tensor | None, memory: Tensor | None = None, memory_mask: Tensor | None = None) -> Tensor:
        for layer in self.layer:
            x = layer(x, mask, memory, memory_mask)
        return x


class Bert(nn.Module):
    def __init__(self, vocabulary: int, width: int, layers: int, heads: int, positions: int, inner: int):
        super().__init__()
        self.embeddings = Embeddings(vocabulary, width, positions)
        self.encoder = Layers(layers, width, heads, inner)

    def forward(self, ids: Tensor) -> Tensor:
        """[B, L] token ids, 0 being padding -> [B, L, W]"""
        return self.encoder(self.embeddings(ids), attention_mask(ids))


def attention_mask(ids: Tensor) -> Tensor:
    """True where a token may be attended to, for all heads and queries."""
    return (ids != 0)[:, None, None, :]
