"""R2D2: towers for pre-ranking and two stacks of joint layers that judge a pair of image and text (ITM)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .attend import attend
from .bert import Bert, Layers, attention_mask


@dataclass(frozen=True)
class R2d2Sizes:
    image_side: int
    patch: int
    vision_width: int
    vision_layers: int
    vision_inner: int
    vocabulary: int
    text_width: int
    text_layers: int
    text_inner: int
    positions: int
    embedding: int
    joint_layers: int
    vision_head_width: int = 64
    text_head_width: int = 64


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (p(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        return self.out_proj(attend(q, k, v).transpose(1, 2).flatten(2))


class _Mlp(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.fc1(x)
        return self.fc2(hidden * torch.sigmoid(1.702 * hidden))


class _VisionLayer(nn.Module):
    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        self.self_attn = _SelfAttention(width, heads)
        self.layer_norm1 = nn.LayerNorm(width)
        self.mlp = _Mlp(width, inner)
        self.layer_norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class _VisionEmbeddings(nn.Module):
    def __init__(self, width: int, patch: int, grid: int):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.patch_embedding = nn.Conv2d(3, width, patch, patch, bias=False)
        self.position_embedding = nn.Embedding(grid * grid + 1, width)

    def forward(self, pixels: Tensor) -> Tensor:
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        return torch.cat([first, patches], 1) + self.position_embedding.weight


class _VisionLayers(nn.Module):
    def __init__(self, count: int, width: int, heads: int, inner: int):
        super().__init__()
        self.layers = nn.ModuleList(_VisionLayer(width, heads, inner) for _ in range(count))


class _VisionEncoder(nn.Module):
    def __init__(self, sizes: R2d2Sizes):
        super().__init__()
        width = sizes.vision_width
        self.embeddings = _VisionEmbeddings(width, sizes.patch, sizes.image_side // sizes.patch)
        self.pre_layrnorm = nn.LayerNorm(width)  # the spelling of the checkpoints
        self.encoder = _VisionLayers(sizes.vision_layers, width, width // sizes.vision_head_width, sizes.vision_inner)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder.layers:
            x = layer(x)
        return x


class _Joint(nn.Module):
    def __init__(self, layers: int, sizes: R2d2Sizes, memory_width: int):
        super().__init__()
        width = sizes.text_width
        self.encoder = Layers(layers, width, width // sizes.text_head_width, sizes.text_inner, memory_width)

    def forward(self, x: Tensor, mask: Tensor | None, memory: Tensor, memory_mask: Tensor | None) -> Tensor:
        return self.encoder(x, mask, memory, memory_mask)


class R2d2(nn.Module):
    def __init__(self, sizes: R2d2Sizes):
        super().__init__()
        self.sizes = sizes
        width = sizes.text_width
        self.visual_encoder = _VisionEncoder(sizes)
        self.text_encoder = Bert(
            sizes.vocabulary, width, sizes.text_layers, width // sizes.text_head_width, sizes.positions, sizes.text_inner
        )
        self.vision_proj = nn.Linear(sizes.vision_width, sizes.embedding)
        self.text_proj = nn.Linear(width, sizes.embedding)
        self.temp = nn.Parameter(torch.tensor(0.07))
        if sizes.joint_layers:
            self.text_joint_layer = _Joint(sizes.joint_layers, sizes, sizes.vision_width)
            self.img_joint_layer = _Joint(sizes.joint_layers, sizes, width)
            self.img_joint_proj = nn.Linear(sizes.vision_width, width)
            self.itm_head = nn.Linear(width, 2)
            self.itm_head_i = nn.Linear(width, 2)

    def image(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, S, S] -> embeddings [B, E] (not normalised), tokens [B, T, W]"""
        tokens = self.visual_encoder(pixels)
        return self.vision_proj(tokens[:, 0]), tokens

    def words(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """[B, L] -> embeddings [B, E] (not normalised), hidden states [B, L, W]"""
        hidden = self.text_encoder(ids)
        return self.text_proj(hidden[:, 0]), hidden

    def text(self, ids: Tensor) -> Tensor:
        return self.words(ids)[0]

    def match(self, tokens: Tensor, hidden: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs of image tokens and text states -> logits [B, 2] of the text's stack and of the image's; class 1: they match"""
        mask = attention_mask(ids)
        by_text = self.text_joint_layer(hidden, mask, tokens, None)[:, 0]
        by_image = self.img_joint_layer(self.img_joint_proj(tokens), None, hidden, mask)[:, 0]
        return self.itm_head(by_text), self.itm_head_i(by_image)
