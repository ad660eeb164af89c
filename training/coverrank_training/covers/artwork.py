"""Icons of the concepts, rasterised once by artwork/rasterise.mjs, and which of them may be seen in training."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

SPLITS: dict[str, tuple[str, ...]] = {
    "train": (
        "noto",
        "emojione",
        "fxemoji",
        "fluent-emoji",
        "fluent-emoji-flat",
        "fluent-emoji-high-contrast",
        "streamline-emojis",
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
    "twemoji": "CC-BY-4.0",
}


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
        self._levels: dict[int, tuple[Image.Image, ...]] = {}

    def of(self, concept: int, split: str) -> list[int]:
        return self.rows[split][concept]

    def levels(self, row: int) -> tuple[Image.Image, ...]:
        """The sprite and its halves, so that drawing it small does not alias. Transparent pixels take the mean colour."""
        found = self._levels.get(row)
        if found is None:
            pixels = np.array(self.pixels[row])
            seen = pixels[..., 3] > 0
            if seen.any():
                pixels[~seen, :3] = pixels[seen][:, :3].mean(0)
            whole = Image.fromarray(pixels)
            half = whole.resize((self.side // 2,) * 2, Image.Resampling.BOX)
            found = self._levels[row] = (whole, half, half.resize((self.side // 4,) * 2, Image.Resampling.BOX))
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


def _on_white(pixels: np.ndarray) -> Image.Image:
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return Image.fromarray((pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8))
