"""A tiny model, tiny pictures and a tiny vocabulary: everything real, only small."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from coverrank_training.data.cbvs import Row, write_rows
from coverrank_training.data.tokenizer import Tokenizer
from coverrank_training.models.uniclip import Uniclip, UniclipSizes

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
