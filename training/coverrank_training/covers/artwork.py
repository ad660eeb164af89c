"""Icons of the concepts, rasterised once by artwork/rasterise.mjs, and which of them may be seen in training."""

import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from .restyle import restyle

SPLITS: dict[str, tuple[str, ...]] = {
    "train": (
        "noto",
        "emojione",
        "fxemoji",
        "fluent-emoji",
        "fluent-emoji-flat",
        "fluent-emoji-high-contrast",
        "streamline-emojis",
        "emojione-monotone",
        "hugeicons",
        "icon-park",
        "lucide",
        "mdi",
        "ph",
        "tabler",
    ),
    "validation": ("noto-v1",),
    "test": ("twemoji",),
}

LICENCES: dict[str, str] = {
    "noto": "Apache-2.0",
    "noto-v1": "Apache-2.0",
    "fxemoji": "Apache-2.0",
    "fluent-emoji": "MIT",
    "fluent-emoji-flat": "MIT",
    "fluent-emoji-high-contrast": "MIT",
    "emojione": "CC-BY-4.0",
    "streamline-emojis": "CC-BY-4.0",
    "emojione-monotone": "CC-BY-4.0",
    "hugeicons": "MIT",
    "icon-park": "Apache-2.0",
    "lucide": "ISC",
    "mdi": "Apache-2.0",
    "ph": "MIT",
    "tabler": "MIT",
    "twemoji": "CC-BY-4.0",
}


DRAWINGS = 3
"""other drawings that there are of each training sprite"""


class Artwork:
    """`of(concept, split)` are the sprites (RGBA, all of one side) that a split may use for a concept."""

    def __init__(self, folder: Path, concepts: int):
        index = json.loads((folder / "sprites.json").read_text())
        self.side: int = index["side"]
        shape = (-1, self.side, self.side, 4)
        self.pixels = np.memmap(folder / "sprites.raw", dtype=np.uint8, mode="r").reshape(shape)
        self.sets = [name for _, name, _ in index["sprites"]]
        self.rows: dict[str, list[list[int]]] = {split: [[] for _ in range(concepts)] for split in SPLITS}
        split_of = {name: split for split, names in SPLITS.items() for name in names}
        for row, (concept, name, _) in enumerate(index["sprites"]):
            if concept < concepts:
                self.rows[split_of[name]][concept].append(row)
        self._levels: dict[tuple[int, int], tuple[Image.Image, ...]] = {}

    def of(self, concept: int, split: str) -> list[int]:
        return self.rows[split][concept]

    def levels(self, row: int, drawing: int = 0) -> tuple[Image.Image, ...]:
        """The sprite and its halves, so that drawing it small does not alias. Transparent pixels take the mean colour.

        `drawing` 0 is the sprite as it is, 1 to `DRAWINGS` are others of it.
        """
        found = self._levels.get((row, drawing))
        if found is None:
            whole = _with_mean_behind(self.pixels[row])
            if drawing:
                whole = _with_mean_behind(np.asarray(restyle(whole, random.Random(f"{row}/{drawing}"))))
            half = whole.resize((self.side // 2,) * 2, Image.Resampling.BOX)
            found = self._levels[row, drawing] = (whole, half, half.resize((self.side // 4,) * 2, Image.Resampling.BOX))
        return found

    def resemblance(self, side: int = 24) -> np.ndarray:
        """[validation and test row -> its highest correlation with a training sprite of any concept]; NaN for training rows.

        Sprites are compared as small pictures on white.
        """
        small = np.stack(
            [
                np.asarray(_on_white(self.pixels[row]).resize((side, side), Image.Resampling.BOX), np.float32).ravel()
                for row in range(len(self.pixels))
            ]
        )
        small -= small.mean(1, keepdims=True)
        small /= np.linalg.norm(small, axis=1, keepdims=True) + 1e-6
        train = sorted({row for rows in self.rows["train"] for row in rows})
        result = np.full(len(small), np.nan, np.float32)
        for split in ("validation", "test"):
            rows = sorted({row for of_concept in self.rows[split] for row in of_concept})
            result[rows] = (small[rows] @ small[train].T).max(1)
        return result


def _with_mean_behind(pixels: np.ndarray) -> Image.Image:
    pixels = np.array(pixels)
    seen = pixels[..., 3] > 0
    if seen.any():
        pixels[~seen, :3] = pixels[seen][:, :3].mean(0)
    return Image.fromarray(pixels)


def _on_white(pixels: np.ndarray) -> Image.Image:
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return Image.fromarray((pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8))
