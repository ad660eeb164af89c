"""A tiny model, tiny pictures and a tiny vocabulary: everything real, only small."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont

from coverrank_training.covers.artwork import SPLITS, Artwork
from coverrank_training.covers.compose import Composer
from coverrank_training.covers.concepts import load_concepts
from coverrank_training.covers.fonts import Fonts
from coverrank_training.data.cbvs import Row, write_rows
from coverrank_training.data.tokenizer import Tokenizer
from coverrank_training.models.uniclip import Uniclip, UniclipSizes

CONCEPTS = 6
CHARACTERS = "猫狗鱼鸟车船花树红黄蓝绿"
SIZES = {
    "image_side": 32, "patch": 16, "vision_width": 64, "vision_layers": 2, "text_width": 64, "text_layers": 1, "text_inner": 128,
    "positions": 12, "embedding": 32, "presence_layers": 1, "semantic_layers": 1,
    "matching_layers": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def tokenizer(vocabulary: Path) -> Tokenizer:
    return Tokenizer(vocabulary)


@pytest.fixture
def model(tokenizer: Tokenizer) -> Uniclip:
    torch.manual_seed(0)
    return Uniclip(UniclipSizes(vocabulary=tokenizer.size, **SIZES))


@pytest.fixture
def covers(tmp_path: Path) -> Path:
    """covers.tsv and eight pictures of one colour each; every second has a text."""
    folder = tmp_path / "covers"
    folder.mkdir()
    rows = []
    for number in range(8):
        colour = [(255 * (number >> bit & 1)) for bit in range(3)]
        Image.fromarray(np.full((40, 40, 3), colour, np.uint8)).save(folder / f"{number}.png")
        rows.append(Row(CHARACTERS[number], f"{number}.png", CHARACTERS[number + 4] if number % 2 else None))
    write_rows(folder / "covers.tsv", rows)
    return folder


class BuiltInFont(Fonts):
    """Pillow's own typeface, so that no package has to be installed."""

    def names(self, language: str, split: str) -> tuple[str, ...]:
        return ("built in",)

    def open(self, name: str, size: int) -> ImageFont.FreeTypeFont:
        return ImageFont.load_default(size)


@pytest.fixture
def composer(tmp_path: Path) -> Composer:
    """Every concept is a disc of a colour of its own, in every set in another lightness."""
    rows, sprites = [], []
    y, x = np.mgrid[:32, :32]
    disc = ((x - 16) ** 2 + (y - 16) ** 2 < 200).astype(np.uint8) * 255
    for concept in range(CONCEPTS):
        for number, name in enumerate(sorted({name for names in SPLITS.values() for name in names})):
            colour = np.array([40 * concept, 255 - 40 * concept, 15 * number], np.uint8)
            sprites.append(np.dstack([np.broadcast_to(colour, (32, 32, 3)), disc]))
            rows.append([concept, name, f"{concept}"])
    (tmp_path / "sprites.raw").write_bytes(np.stack(sprites).tobytes())
    (tmp_path / "sprites.json").write_text(json.dumps({"side": 32, "sprites": rows}))
    return Composer(load_concepts(CONCEPTS), Artwork(tmp_path, CONCEPTS), BuiltInFont(tmp_path))
