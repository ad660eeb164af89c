"""The weights of a UniCLIP bundle that `coverrank convert` wrote: what was rounded to int8 stays rounded.

Graphs hold matrices for a product from the left, with norms folded into the projections behind them. What a fold took away
without a trace comes back as its simplest form: no gain of `ln_3`, no bias of keys, no token types apart from positions, which
there are as many of as the bundle's texts have ids.
"""

import re
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

GRAPHS = ("image", "text", "rerank")
SCALE_OF_LOGITS = 50.0
"""a bundle needs none, and further training finds its own"""

_AS_IT_IS = re.compile(
    r"(ln_\w+|LayerNorm|dense|c_fc|c_proj|out_proj)\.(weight|bias)$|conv1\.weight$|positional_embedding$|in_proj_bias$"
    r"|word_embeddings\.weight$|visual\.proj$|text_projection$|^proj_\w+$"
)


def read_bundle(folder: Path) -> dict[str, Tensor]:
    """By the names that the models here have, in fp32. Raises ValueError for a folder that holds no bundle."""
    if not (folder / "image.onnx").exists():
        raise ValueError(f"{folder} is no bundle: it has no image.onnx")
    held = {name: values for graph in GRAPHS for name, values in _initialisers(folder / f"{graph}.onnx").items()}
    weights: dict[str, np.ndarray] = {"logit_scale": np.log(np.float32(SCALE_OF_LOGITS))}
    for name, values in held.items():
        weights |= _unfolded(name, values, held)
    tables = [name for name in weights if name.endswith("position_embeddings.weight")]
    longest = max(len(weights[name]) for name in tables)
    weights |= {name: np.pad(weights[name], ((0, longest - len(weights[name])), (0, 0))) for name in tables}
    return {name: torch.tensor(np.ascontiguousarray(values), dtype=torch.float32) for name, values in weights.items()}


def _initialisers(file: Path) -> dict[str, np.ndarray]:
    """Those of a graph by name, int8 ones as what they stand for."""
    if not file.exists():
        return {}
    stored = {item.name: numpy_helper.to_array(item) for item in onnx.load(file).graph.initializer}
    whole = {name: values for name, values in stored.items() if not name.endswith((".int8", ".scale"))}
    rounded = {name.removesuffix(".int8"): values for name, values in stored.items() if name.endswith(".int8")}
    return whole | {name: values.astype(np.float32) * stored[f"{name}.scale"] for name, values in rounded.items()}


def _unfolded(name: str, values: np.ndarray, held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint that an initialiser, or several of which it is the first, became of."""
    place, _, part = name.rpartition(".")
    if ".cross_attn." in name:
        if part == "query":
            return _cross_attention(place, held)
        return _plain(name, values) if "out_proj" in name else {}
    if part in ("qkv", "kv") or (place.endswith("attention.self.query") and part == "weight"):
        return _projections(place.removesuffix(".query"), held)
    if place.endswith("attention.self") and part == "bias":
        return {f"{place}.{which}.bias": third for which, third in zip(("query", "key", "value"), np.split(values, 3), strict=True)}
    if part == "positions_and_type":
        types = np.zeros((2, values.shape[1]))
        return {f"{place}.position_embeddings.weight": values, f"{place}.token_type_embeddings.weight": types}
    if name == "itm_scale_by_class":
        return {"itm_scale": np.log(values[1])}
    return _plain(name, values)


def _plain(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    if name.endswith("class_embedding"):
        return {name: values.ravel()}
    if re.search(r"\.(c_fc|c_proj|out_proj|dense)\.weight$", name):
        return {name: values.T}
    return {name: values} if _AS_IT_IS.search(name) else {}


def _projections(place: str, held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Query, key and value of an attention to itself: one matrix, or two where the last layer asks from one row alone."""
    query = held.get(f"{place}.query", held.get(f"{place}.query.weight"))
    joint = held[f"{place}.qkv"] if f"{place}.qkv" in held else np.concatenate([query, held[f"{place}.kv"]], 1)
    if not place.endswith("attention.self"):
        return {f"{place}.in_proj_weight": joint.T}
    return {f"{place}.{which}.weight": third.T for which, third in zip(("query", "key", "value"), np.split(joint, 3, 1), strict=True)}


def _cross_attention(place: str, held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """From text to image tokens; the gain of `ln_2`, which its keys share, is taken out of them again."""
    block, query = place.rpartition(".")[0], held[f"{place}.query"].T
    if f"{place}.folded_key_by_head" in held:
        heads = held[f"{place}.folded_key_by_head"]
        key = heads.reshape(-1, heads.shape[2]) * heads.shape[1] ** 0.5
        value = held[f"{place}.folded_value_by_head"].transpose(0, 2, 1).reshape(key.shape)
        biases = held[f"{place}.bias_0"], held[f"{place}.folded_value_bias"]
    else:
        key, value = held[f"{place}.folded_key"].T, held[f"{place}.folded_value"].T
        biases = np.split(held[f"{place}.folded_bias"], 3)[::2]
    key = key / held[f"{block}.ln_2.weight"]
    width = len(key)
    return {
        f"{place}.in_proj_weight": np.concatenate([query, key, value]),
        f"{place}.in_proj_bias": np.concatenate([biases[0], np.zeros(width), biases[1]]),
        f"{block}.ln_3.weight": np.ones(width),
        f"{block}.ln_3.bias": np.zeros(width),
    }
