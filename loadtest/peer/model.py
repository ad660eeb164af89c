"""UniCLIP's text tower and OCR semantic head in PyTorch, from a checkpoint in safetensors."""

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

BERT_EPSILON = 1e-12
CLIP_EPSILON = 1e-5
HEAD_WIDTH = 64


class Weights:
    """Tensors by name. Norms stay in fp32, in which they are computed; everything else is held in `dtype`."""

    def __init__(self, file: str, dtype: torch.dtype):
        self.tensors = {
            name: tensor if is_norm(name) else tensor.to(dtype)
            for name, tensor in load_file(file).items()
            if not name.startswith("visual.") and "ocr_presence" not in name
        }

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def count(self, prefix: str) -> int:
        """Layers under `prefix`."""
        start = len(prefix) + 1
        return 1 + max(int(name[start:].split(".")[0]) for name in self.tensors if name.startswith(f"{prefix}."))

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self[f"{name}.weight"], self[f"{name}.bias"])

    def norm(self, x: Tensor, name: str, epsilon: float) -> Tensor:
        weight, bias = self[f"{name}.weight"], self[f"{name}.bias"]
        return F.layer_norm(x.float(), weight.shape, weight, bias, epsilon).to(x.dtype)

    def embed(self, ids: Tensor, name: str) -> Tensor:
        """Words, positions and the first kind of segment, normalised: [T, L] to [T, L, width]."""
        x = (
            self[f"{name}.word_embeddings.weight"][ids]
            + self[f"{name}.position_embeddings.weight"][: ids.shape[1]]
            + self[f"{name}.token_type_embeddings.weight"][0]
        )
        return self.norm(x, f"{name}.LayerNorm", BERT_EPSILON)


def is_norm(name: str) -> bool:
    return "LayerNorm" in name or ".ln_" in name or name.startswith("ln_")


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """[B, L, width] each, in heads of 64."""

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, HEAD_WIDTH)).transpose(1, 2)

    mixed = F.scaled_dot_product_attention(heads(query), heads(key), heads(value), attn_mask=mask)
    return mixed.transpose(1, 2).flatten(2)


class TextTower(nn.Module):
    """BERT, of which the first row is projected."""

    def __init__(self, weights: Weights):
        super().__init__()
        self.weights = weights
        self.layers = weights.count("bert.encoder.layer")

    def forward(self, ids: Tensor) -> Tensor:
        """ids [T, L], 0 where padded; L2-normalised embeddings [T, dim]."""
        w = self.weights
        x = w.embed(ids, "bert.embeddings")
        mask = ids.ne(0)[:, None, None, :]
        for layer in range(self.layers):
            name = f"bert.encoder.layer.{layer}"
            query, key, value = (w.linear(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
            attended = w.linear(attend(query, key, value, mask), f"{name}.attention.output.dense")
            x = w.norm(x + attended, f"{name}.attention.output.LayerNorm", BERT_EPSILON)
            inner = F.gelu(w.linear(x, f"{name}.intermediate.dense"))
            x = w.norm(x + w.linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm", BERT_EPSILON)
        return F.normalize((x[:, 0] @ w["text_projection"]).float(), dim=-1)


class SemanticHead(nn.Module):
    """Whether a text says what is written on a cover: decoder blocks over the text that look at the image tokens."""

    def __init__(self, weights: Weights):
        super().__init__()
        self.weights = weights
        self.layers = weights.count("ocr_semantic_decoder.resblocks")

    def forward(self, ids: Tensor, tokens: Tensor) -> Tensor:
        """ids [1, L] of one text, padding included; tokens [K, N, width] of K covers; K probabilities."""
        w = self.weights
        words = w.embed(ids, "bert_embedding")
        start = w["decoder_class_embedding"].expand(1, 1, -1)
        t = torch.cat([start, words], dim=1).expand(tokens.shape[0], -1, -1)
        for layer in range(self.layers):
            name = f"ocr_semantic_decoder.resblocks.{layer}"
            normed = w.norm(t, f"{name}.ln_1", CLIP_EPSILON)
            t = t + self.attention(f"{name}.self_attn", normed, normed, normed)
            query = w.norm(t, f"{name}.ln_2", CLIP_EPSILON)
            key = w.norm(tokens, f"{name}.ln_2", CLIP_EPSILON)
            value = w.norm(tokens, f"{name}.ln_3", CLIP_EPSILON)
            t = t + self.attention(f"{name}.cross_attn", query, key, value)
            inner = w.linear(w.norm(t, f"{name}.ln_4", CLIP_EPSILON), f"{name}.mlp.c_fc")
            t = t + w.linear(inner * torch.sigmoid(1.702 * inner), f"{name}.mlp.c_proj")
        logits = w.norm(t[:, 0], "ln_ocr_semantic", CLIP_EPSILON) @ w["proj_ocr_semantic"]
        return logits.float().softmax(-1)[:, 1]

    def attention(self, name: str, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        weight, bias = self.weights[f"{name}.in_proj_weight"], self.weights[f"{name}.in_proj_bias"]
        parts = zip((query, key, value), weight.chunk(3), bias.chunk(3))
        return self.weights.linear(attend(*(F.linear(x, w, b) for x, w, b in parts)), f"{name}.out_proj")
