"""UniCLIP: a ViT and BERT, a head for whether text is drawn on a cover, and one for whether it means what a text says.

Without the heads it is Chinese-CLIP or QA-CLIP. One head is ours: image-text matching, as in R2D2, by a decoder over the text
tower's states.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .bert import Bert, Embeddings
from .blocks import Decoder, Encoder


@dataclass(frozen=True)
class UniclipSizes:
    image_side: int = 112
    patch: int = 16
    vision_width: int = 192
    vision_layers: int = 6
    vision_head_width: int = 64
    vocabulary: int = 4600
    text_width: int = 192
    text_layers: int = 4
    text_inner: int = 768
    positions: int = 32
    embedding: int = 192
    presence_layers: int = 3
    """0: no such head"""
    semantic_layers: int = 3
    matching_layers: int = 0
    """no published checkpoint has such a head"""
    matching_vision_layers: int = 0
    """of an image tower that the matching head has for itself; 0: it looks at the tokens of the other one"""

    def __post_init__(self) -> None:
        if self.matching_vision_layers and not self.matching_layers:
            raise ValueError("matching_vision_layers are of a matching head's image tower: without matching_layers there is none")

    @property
    def vision_heads(self) -> int:
        return self.vision_width // self.vision_head_width


class VisionTransformer(nn.Module):
    def __init__(self, sizes: UniclipSizes):
        super().__init__()
        width, grid = sizes.vision_width, sizes.image_side // sizes.patch
        scale = width**-0.5
        self.patch = sizes.patch
        self.conv1 = nn.Conv2d(3, width, sizes.patch, sizes.patch, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(grid * grid + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Encoder(width, sizes.vision_layers, sizes.vision_heads)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, sizes.embedding))

    def forward(self, pixels: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """[B, 3, S, S] -> embeddings [B, E] (not normalised), tokens [B, 1 + patches, W].

        `kept` [B, K]: the patches to look at, in order; training on the busy half of a cover costs half.
        """
        patches = self._patches(pixels)
        positions = self.positional_embedding[1:].to(patches.dtype).expand(len(patches), -1, -1)
        if kept is not None:
            index = kept[..., None]
            patches = patches.gather(1, index.expand(-1, -1, patches.shape[-1]))
            positions = positions.gather(1, index.expand(-1, -1, positions.shape[-1]))
        x = nn.functional.linear(patches, self.conv1.weight.flatten(1)) + positions
        first = (self.class_embedding + self.positional_embedding[0]).to(x.dtype).expand(len(x), 1, -1)
        tokens = self.transformer(self.ln_pre(torch.cat([first, x], 1)))
        return self.ln_post(tokens[:, 0]) @ self.proj, tokens

    def _patches(self, pixels: Tensor) -> Tensor:
        """A convolution whose stride is its size is a product with flattened patches, which is faster on a CPU."""
        images, _, side, _ = pixels.shape
        grid = side // self.patch
        cut = pixels.view(images, 3, grid, self.patch, grid, self.patch)
        return cut.permute(0, 2, 4, 1, 3, 5).reshape(images, grid * grid, -1)


class Uniclip(nn.Module):
    def __init__(self, sizes: UniclipSizes):
        super().__init__()
        self.sizes = sizes
        width, heads = sizes.vision_width, sizes.vision_heads
        self.visual = VisionTransformer(sizes)
        text_heads = sizes.text_width // 64
        self.bert = Bert(sizes.vocabulary, sizes.text_width, sizes.text_layers, text_heads, sizes.positions, sizes.text_inner)
        self.text_projection = nn.Parameter(torch.randn(sizes.text_width, sizes.embedding) * sizes.text_width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        if sizes.presence_layers:
            self.ocr_presence_decoder = Encoder(width, sizes.presence_layers, heads)
            self.ln_ocr_presence = nn.LayerNorm(width)
            self.proj_ocr_presence = nn.Parameter(torch.randn(width, 2) * width**-0.5)
        if sizes.semantic_layers:
            self.decoder_class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
            self.bert_embedding = Embeddings(sizes.vocabulary, width, sizes.positions)
            self.ocr_semantic_decoder = Decoder(width, sizes.semantic_layers, heads)
            self.ln_ocr_semantic = nn.LayerNorm(width)
            self.proj_ocr_semantic = nn.Parameter(torch.randn(width, 2) * width**-0.5)
        if sizes.matching_layers:
            self.itm_decoder = Decoder(width, sizes.matching_layers, heads)
            self.ln_itm = nn.LayerNorm(width)
            self.proj_itm = nn.Parameter(torch.randn(width, 2) * width**-0.5)
        if sizes.matching_vision_layers:
            self.itm_visual = VisionTransformer(replace(sizes, vision_layers=sizes.matching_vision_layers))
            # The logarithm of what the tower's cosine counts in the logit of a match.
            self.itm_scale = nn.Parameter(torch.tensor(math.log(10)))

    def image(self, pixels: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.visual(pixels, kept)

    def text(self, ids: Tensor) -> Tensor:
        """[B, L] -> [B, E], not normalised"""
        return self.words(ids)[0]

    def words(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """[B, L] -> embeddings [B, E] (not normalised), states [B, L, W]"""
        states = self.bert(ids)
        return states[:, 0] @ self.text_projection, states

    def presence(self, tokens: Tensor) -> Tensor:
        """[B, T, W] -> logits [B, 2]; class 1: text is drawn on the cover"""
        return self.ln_ocr_presence(self.ocr_presence_decoder(tokens)[:, 0]) @ self.proj_ocr_presence

    def semantic(self, tokens: Tensor, ids: Tensor) -> Tensor:
        """[B, T, W] and [B, Q, L] (padding is not masked) -> logits [B, Q, 2]; class 1: the text means what is drawn"""
        words = self.bert_embedding(ids)
        first = self.decoder_class_embedding.to(words.dtype).expand(*words.shape[:2], 1, -1)
        decoded = self.ocr_semantic_decoder(torch.cat([first, words], 2), tokens)
        return self.ln_ocr_semantic(decoded[:, :, 0]) @ self.proj_ocr_semantic

    def second_look(self, pixels: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `image`, by the tower that the matching head looks at: the other one unless it has its own."""
        return (self.itm_visual if self.sizes.matching_vision_layers else self.visual)(pixels, kept)

    def match(self, tokens: Tensor, states: Tensor) -> Tensor:
        """[B, T, W] of `second_look` and the text tower's [B, Q, L, W] (padding is not masked) -> logits [B, Q, 2].

        Class 1: the cover matches. With an image tower of its own the head adds that tower's cosine to what the decoder finds.
        """
        logits = self.ln_itm(self.itm_decoder(states, tokens)[:, :, 0]) @ self.proj_itm
        if not self.sizes.matching_vision_layers:
            return logits
        # A scaled cosine wants more digits than autocast would leave it.
        with torch.autocast(tokens.device.type, enabled=False):
            image = normalize(self.itm_visual.ln_post(tokens[:, 0].float()) @ self.itm_visual.proj, dim=-1)
            text = normalize(states[:, :, 0].float() @ self.text_projection, dim=-1)
            near = self.itm_scale.exp() * (text @ image[..., None])
        return torch.cat([logits[..., :1], logits[..., 1:] + near], -1)
