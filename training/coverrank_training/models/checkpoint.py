"""Checkpoints in the layouts and spellings that were published, which `coverrank convert` reads."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from .bundle import read_bundle
from .r2d2 import R2d2, R2d2Sizes
from .uniclip import Uniclip, UniclipSizes

Weights = dict[str, Tensor]

_UNREAD = re.compile(r"position_ids$|\.pooler\.|post_layernorm|joint_layer\.embeddings|attn_mask$|num_batches_tracked$")
HEAD_WIDTH = 64
_VISION_HEAD_WIDTHS = {1280: 80}
"""by width: ViT-H/14 is the one published tower whose heads are not 64 wide; weights do not show it"""
_FROM_RELEASED = (("ocr_exist", "ocr_presence"), ("ocr_content", "ocr_semantic"))


def read_weights(path: Path) -> Weights:
    """The tensors of a checkpoint, or of a UniCLIP bundle's folder, in fp32 with the names that the models here have."""
    if path.is_dir():
        return read_bundle(path)
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    weights = loaded.get("state_dict") or loaded.get("model") or loaded
    result: Weights = {}
    for name, tensor in weights.items():
        name = name.removeprefix("module.")
        if not isinstance(tensor, Tensor) or _UNREAD.search(name):
            continue
        for released, ours in _FROM_RELEASED:
            name = name.replace(released, ours)
        result.update(_without_flash(name, tensor.float()))
    return result


def _without_flash(name: str, tensor: Tensor) -> Weights:
    """Files trained with FlashAttention stack query, key and value of BERT and name the stack of the ViT otherwise."""
    if match := re.match(r"(.*\.attention\.self)\.Wqkv\.(weight|bias)$", name):
        parts = zip(("query", "key", "value"), tensor.chunk(3), strict=True)
        return {f"{match[1]}.{part}.{match[2]}": rows for part, rows in parts}
    name = re.sub(r"\.attention\.self\.out_proj\.", ".attention.output.dense.", name)
    return {re.sub(r"\.Wqkv\.(weight|bias)$", r".in_proj_\1", name): tensor}


def load_model(path: Path, head_width: int | None = None) -> Uniclip | R2d2:
    """A model of the sizes that the weights show; its parameters are exactly those of the file.

    `head_width` is that of all attention; without it the published models' rule holds.
    """
    weights = read_weights(path)
    is_r2d2 = "vision_proj.weight" in weights
    model = R2d2(_r2d2_sizes(weights, head_width)) if is_r2d2 else Uniclip(uniclip_sizes(weights, head_width))
    model.load_state_dict(weights)
    return model


def uniclip_sizes(weights: Mapping[str, Tensor], head_width: int | None = None) -> UniclipSizes:
    if "visual.class_embedding" not in weights:
        raise ValueError("only models with a ViT can be trained here; this one has no visual.class_embedding")
    width, _, patch, _ = weights["visual.conv1.weight"].shape
    vocabulary, text_width = weights["bert.embeddings.word_embeddings.weight"].shape
    return UniclipSizes(
        image_side=round((len(weights["visual.positional_embedding"]) - 1) ** 0.5) * patch,
        patch=patch,
        vision_width=width,
        vision_layers=_count(weights, r"visual\.transformer\.resblocks\.(\d+)\."),
        vision_head_width=head_width or _VISION_HEAD_WIDTHS.get(width, HEAD_WIDTH),
        vocabulary=vocabulary,
        text_width=text_width,
        text_layers=_count(weights, r"bert\.encoder\.layer\.(\d+)\."),
        text_inner=len(weights["bert.encoder.layer.0.intermediate.dense.weight"]),
        positions=len(weights["bert.embeddings.position_embeddings.weight"]),
        embedding=weights["text_projection"].shape[1],
        presence_layers=_count(weights, r"ocr_presence_decoder\.resblocks\.(\d+)\."),
        semantic_layers=_count(weights, r"ocr_semantic_decoder\.resblocks\.(\d+)\."),
        matching_layers=_count(weights, r"itm_decoder\.resblocks\.(\d+)\."),
        matching_vision_layers=_count(weights, r"itm_visual\.transformer\.resblocks\.(\d+)\."),
    )


def _r2d2_sizes(weights: Mapping[str, Tensor], head_width: int | None) -> R2d2Sizes:
    width, _, patch, _ = weights["visual_encoder.embeddings.patch_embedding.weight"].shape
    vocabulary, text_width = weights["text_encoder.embeddings.word_embeddings.weight"].shape
    return R2d2Sizes(
        image_side=round((len(weights["visual_encoder.embeddings.position_embedding.weight"]) - 1) ** 0.5) * patch,
        patch=patch,
        vision_width=width,
        vision_layers=_count(weights, r"visual_encoder\.encoder\.layers\.(\d+)\."),
        vision_inner=len(weights["visual_encoder.encoder.layers.0.mlp.fc1.weight"]),
        vocabulary=vocabulary,
        text_width=text_width,
        text_layers=_count(weights, r"text_encoder\.encoder\.layer\.(\d+)\."),
        text_inner=len(weights["text_encoder.encoder.layer.0.intermediate.dense.weight"]),
        positions=len(weights["text_encoder.embeddings.position_embeddings.weight"]),
        embedding=len(weights["vision_proj.weight"]),
        joint_layers=_count(weights, r"text_joint_layer\.encoder\.layer\.(\d+)\."),
        vision_head_width=head_width or _VISION_HEAD_WIDTHS.get(width, HEAD_WIDTH),
        text_head_width=head_width or HEAD_WIDTH,
    )


def _count(weights: Mapping[str, Tensor], pattern: str) -> int:
    numbers = [int(match[1]) for name in weights if (match := re.match(pattern, name))]
    return max(numbers, default=-1) + 1


def save_model(model: Uniclip | R2d2, path: Path, step: int, name: str = "coverrank") -> None:
    """Writes what the authors' training scripts write. R2D2 files hold fp32; UniCLIP's hold matrices in fp16."""
    weights = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(model, R2d2):
        torch.save({"model": weights, "epoch": step}, path)
        return
    published = {f"module.{_released(key)}": _released_type(key, value) for key, value in weights.items()}
    torch.save({"epoch": 0, "step": step, "name": name, "state_dict": published, "optimizer": {}}, path)


def _released(name: str) -> str:
    for released, ours in _FROM_RELEASED:
        name = name.replace(ours, released)
    return name


def _released_type(name: str, tensor: Tensor) -> Tensor:
    halves = re.search(r"resblocks.*(attn|mlp)|^bert\.|conv1\.weight$|text_projection$|visual\.proj$", name)
    return tensor.half() if halves else tensor
