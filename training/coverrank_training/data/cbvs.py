"""Covers in the CBVS format: one line a cover, `title <tab> picture <tab> text drawn on it`, `\\N` for none."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from .batch import Batch
from .neighbours import Neighbours
from .tokenizer import Tokenizer

NONE = "\\N"
OWN_TEXT_SHARE = 0.7
"""UniCLIP's semantic head is asked for a cover's own text in seven of ten cases, else for a near neighbour's."""


@dataclass(frozen=True)
class Row:
    title: str
    picture: str
    drawn: str | None


def read_rows(path: Path) -> list[Row]:
    """Throws on a line that has not three fields; says which."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line == "":
            continue
        fields = line.split("\t")
        if len(fields) != 3:
            raise ValueError(f"{path}:{number}: expected title, picture and drawn text, separated by tabs")
        title, picture, drawn = fields
        rows.append(Row(title, picture, None if drawn == NONE else drawn))
    return rows


def write_rows(path: Path, rows: list[Row]) -> None:
    for row in rows:
        if any("\t" in field or "\n" in field for field in (row.title, row.picture, row.drawn or "")):
            raise ValueError(f"a tab or line break in {row.picture}")
    lines = (f"{row.title}\t{row.picture}\t{row.drawn or NONE}\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


def read_picture(path: Path, side: int) -> np.ndarray:
    """[side, side, 3] uint8; stretched, bicubic, as a viewer would see it. Unreadable pictures are an error."""
    with Image.open(path) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    return np.array(upright.resize((side, side), Image.Resampling.BICUBIC))


class CbvsData:
    """Batches by step: an epoch is a permutation drawn from seed and epoch, so any step can be made again."""

    def __init__(
        self, rows: list[Row], pictures: Path, tokenizer: Tokenizer, *, side: int, length: int, pair_length: int, batch: int, seed: int
    ):
        if len(rows) < batch:
            raise ValueError(f"{len(rows)} covers cannot fill a batch of {batch}")
        self.rows, self.pictures, self.tokenizer = rows, pictures, tokenizer
        self.side, self.length, self.pair_length, self.batch, self.seed = side, length, pair_length, batch, seed
        self.drawn = [index for index, row in enumerate(rows) if row.drawn is not None]
        self.neighbours = Neighbours([row.drawn or "" for row in rows])

    @property
    def steps_per_epoch(self) -> int:
        return len(self.rows) // self.batch

    def at(self, step: int, rank: int = 0, processes: int = 1) -> Batch:
        """The share of one process in the batch of a step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.rows))
        picked = order[place * self.batch : (place + 1) * self.batch]
        share = self.batch // processes
        return self._batch([int(i) for i in picked[rank * share : (rank + 1) * share]], epoch)

    def _batch(self, picked: list[int], epoch: int) -> Batch:
        rows = [self.rows[index] for index in picked]
        pairs = [self._pair(index, random.Random(f"{self.seed}/{epoch}/{index}")) for index in picked]
        return Batch(
            pictures=torch.from_numpy(np.stack([read_picture(self.pictures / row.picture, self.side) for row in rows])),
            text_ids=torch.tensor([self.tokenizer.encode(row.title, self.length) for row in rows]),
            has_text=torch.tensor([row.drawn is not None for row in rows]),
            pair_ids=torch.tensor([[self.tokenizer.encode(text, self.pair_length)] for text, _ in pairs]),
            pair_labels=torch.tensor([[label] for _, label in pairs]),
        )

    def _pair(self, index: int, rng: random.Random) -> tuple[str, int]:
        """A text to hold against what is drawn on a cover. A cover without text is held against another's."""
        drawn = self.rows[index].drawn
        if drawn is None:
            return (self.rows[rng.choice(self.drawn)].drawn or "", 0) if self.drawn else ("", -1)
        if rng.random() < OWN_TEXT_SHARE:
            return drawn, 1
        near = [other for other in self.neighbours.of(index) if self.rows[other].drawn != drawn]
        if not near:
            near = [other for other in self.drawn if self.rows[other].drawn != drawn] or [index]
        other = self.rows[rng.choice(near)].drawn or ""
        return other, int(other == drawn)
