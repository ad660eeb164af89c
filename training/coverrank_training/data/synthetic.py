"""Batches of synthetic covers, drawn as they are needed, with everything that is known about them."""

import random
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..covers.compose import Composer, Cover, CoverStyle
from ..covers.filler import Filler
from ..covers.phrases import make_query
from ..covers.titles import Box
from ..losses.teaching import Lesson
from .batch import Batch
from .tokenizer import Tokenizer

GRADUALLY = 0.3
"""within a batch, covers are easier and harder than its ease by up to this"""
ALL_HARD_AFTER = 250_000
"""covers, after which the curriculum has come from large clean objects and type to clutter"""
HARDEST = 0.15
BLOCK = 24
BANK = 32
TRAINING_STYLE = CoverStyle(title_share=0.62, misleading_share=0.6, object_share=0.85)


def region_maps(cover: Cover, grid: int, nothing: int) -> tuple[np.ndarray, np.ndarray]:
    """Which concept covers most of a patch, and which word a good part of it: [grid * grid] each."""
    objects = np.full((grid, grid), nothing)
    words = np.full((grid, grid), nothing)
    for concept, is_word, box in cover.regions:
        area = _share_under(box, grid)
        if is_word:
            words[area >= 0.35] = concept
        else:
            objects[area >= 0.6] = concept
    return objects.ravel(), words.ravel()


def character_map(cover: Cover, grid: int, alphabet: Mapping[str, int]) -> np.ndarray:
    """Which characters of the title lie under a patch: [grid * grid, 3], -1 where there are fewer."""
    found: list[list[int]] = [[] for _ in range(grid * grid)]
    for character, box in cover.characters:
        if character not in alphabet:
            continue
        left, top, right, bottom = box
        middle = min(grid - 1, max(0, int((left + right) / 2 * grid))), min(grid - 1, max(0, int((top + bottom) / 2 * grid)))
        under = _share_under(box, grid) >= 0.3
        under[middle[1], middle[0]] = True
        for patch in np.flatnonzero(under):
            found[patch].append(alphabet[character])
    return np.array([[*numbers, -1, -1, -1][:3] for numbers in found])


def _share_under(box: Box, grid: int) -> np.ndarray:
    """Of each patch the share that a box covers: [grid, grid]"""
    left, top, right, bottom = box
    edges = np.arange(grid) / grid
    across = np.clip(np.minimum(edges + 1 / grid, right) - np.maximum(edges, left), 0, None) * grid
    down = np.clip(np.minimum(edges + 1 / grid, bottom) - np.maximum(edges, top), 0, None) * grid
    return np.outer(down, across)


def _in_other_light(pictures: Tensor, seed: int) -> Tensor:
    """Other gains per cover and channel, and shifts: what differs when a cover is seen again."""
    generator = torch.Generator().manual_seed(seed)
    gains = 0.8 + 0.4 * torch.rand(len(pictures), 1, 1, 3, generator=generator)
    shifts = 24 * torch.randn(len(pictures), 1, 1, 1, generator=generator)
    return (pictures.float() * gains + shifts).clamp(0, 255).to(torch.uint8)


class SyntheticData:
    """A step's batch depends on seed and step alone. Half the texts to hold against a title are its own."""

    def __init__(
        self, composer: Composer, tokenizer: Tokenizer, *, side: int, patch: int, length: int, pair_length: int, pairs: int, batch: int,
        seed: int, reuse: int = 1, split: str = "train", covers_before: int = 0, restyled: float = 0.0,
    ):  # fmt: skip
        self.composer, self.tokenizer = composer, tokenizer
        self.side, self.grid = side, side // patch
        self.length, self.pair_length, self.pairs, self.batch, self.seed = length, pair_length, pairs, batch, seed
        self.reuse, self.split, self.covers_before, self.restyled = reuse, split, covers_before, restyled
        self._filler = Filler(*tokenizer.words(), composer.names)
        self._drawn: dict[int, Batch] = {}

    def at(self, step: int, rank: int = 0, processes: int = 1) -> Batch:
        """The share of one process in the batch of a step.

        Drawing can take as long as learning: of `BLOCK` batches each comes up `reuse` times, in some order and other light.
        """
        block, place = divmod(step, BLOCK * self.reuse)
        order = np.random.default_rng((self.seed, block)).permutation(BLOCK * self.reuse) % BLOCK
        number = block * BLOCK + int(order[place])
        if number not in self._drawn:
            self._drawn = {known: batch for known, batch in self._drawn.items() if known // BLOCK == block}
            share = self.batch // processes
            # By block and not by step, as a run that goes on draws a batch at another of its turns.
            seen = self.covers_before + block * BLOCK * self.reuse * self.batch
            ease = max(HARDEST, 0.9 - seen / ALL_HARD_AFTER)
            self._drawn[number] = self._batch([number * self.batch + rank * share + i for i in range(share)], ease)
        drawn = self._drawn[number]
        return drawn if self.reuse == 1 else replace(drawn, pictures=_in_other_light(drawn.pictures, step * 64 + rank))

    def query_bank(self) -> Tensor:
        """[C, 32, L]: queries for each concept"""
        rng = random.Random(f"{self.seed}/queries")
        concepts = range(len(self.composer.concepts))
        return torch.tensor([[self.tokenizer.encode(self._query(c, rng), self.pair_length) for _ in range(BANK)] for c in concepts])

    def _batch(self, numbers: list[int], ease: float) -> Batch:
        drawn = [self._example(number, ease) for number in numbers]
        concepts = len(self.composer.concepts)
        maps = [region_maps(cover, self.grid, concepts) for cover, *_ in drawn]
        covers = [cover for cover, *_ in drawn]
        lesson = Lesson(
            main=torch.tensor([c.main for c in covers]),
            titled=torch.tensor([c.titled for c in covers]),
            small=torch.tensor([[*c.small, -1, -1][:2] for c in covers]),
            objects=torch.from_numpy(np.stack([objects for objects, _ in maps])),
            words=torch.from_numpy(np.stack([words for _, words in maps])),
            characters=torch.from_numpy(np.stack([character_map(c, self.grid, self.composer.alphabet) for c in covers])),
            asked=torch.tensor([asked for _, asked, *_ in drawn]),
        )
        return Batch(
            pictures=torch.from_numpy(np.stack([c.pixels for c in covers])),
            text_ids=torch.tensor([ids for _, _, ids, *_ in drawn]),
            has_text=torch.tensor([c.titled >= 0 for c in covers]),
            pair_ids=torch.tensor([[ids for ids, _ in pairs] for *_, pairs in drawn]),
            pair_labels=torch.tensor([[label for _, label in pairs] for *_, pairs in drawn]),
            lesson=lesson,
        )

    def _example(self, number: int, ease: float):
        rng = random.Random(f"{self.seed}/{number}")
        noise = np.random.default_rng((self.seed, number))
        style = replace(
            TRAINING_STYLE, side=self.side, restyled=self.restyled, ease=min(1.0, max(0.0, ease + rng.uniform(-GRADUALLY, GRADUALLY)))
        )
        concepts = len(self.composer.concepts)
        cover = self.composer.cover(rng.randrange(concepts), self.split, style, rng, noise)
        asked = cover.main if cover.main >= 0 else cover.titled
        ids = self.tokenizer.encode(self._query(asked, rng), self.length)
        pairs = [self._pair(cover, place, rng) for place in range(self.pairs)]
        return cover, asked, ids, pairs

    def _query(self, concept: int, rng: random.Random) -> str:
        language = "zh" if rng.random() < 0.6 else "en"
        return make_query(self.composer.concepts[concept].names(language), language, self.split, rng, self._filler)

    def _pair(self, cover: Cover, place: int, rng: random.Random) -> tuple[list[int], int]:
        """By turns what the title says, what it does not say although it is shown, and anything else; nothing without a title."""
        concepts = len(self.composer.concepts)
        shown = [c for c in (cover.main, *cover.small) if c >= 0 and c != cover.titled]
        if cover.titled >= 0 and place % 2 == 0:
            concept = cover.titled
        elif shown and rng.random() < 0.6:
            concept = rng.choice(shown)
        else:
            concept = rng.randrange(concepts)
        label = int(concept == cover.titled) if cover.titled >= 0 else -1
        return self.tokenizer.encode(self._query(concept, rng), self.pair_length), label
