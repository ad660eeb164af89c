"""Composes synthetic covers: one main object, small ones beside it, a title that agrees or misleads."""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase

import numpy as np
from PIL import Image

from .artwork import DRAWINGS, Artwork
from .backgrounds import background
from .concepts import Concept, load_concepts
from .filler import Filler, invented_words
from .fonts import Fonts
from .phrases import TITLES
from .titles import Box, draw_title, make_title


@dataclass(frozen=True)
class CoverStyle:
    """How hard covers are. `ease` from 0 to 1 asks for large objects and type on mild backgrounds."""

    ease: float = 0.0
    title_share: float = 0.6
    misleading_share: float = 0.5
    object_share: float = 1.0
    """The rest are covers with a title alone."""
    small_objects: int = 2
    restyled: float = 0.0
    """share of icons that are drawn in other ways than their sets do"""
    augment: bool = True
    side: int = 112


@dataclass(frozen=True)
class Cover:
    pixels: np.ndarray
    """[side, side, 3] uint8"""
    main: int
    """the concept of the main object, -1 where there is none"""
    small: tuple[int, ...]
    titled: int
    """the concept that the title names, -1 without title"""
    title: str | None
    regions: tuple[tuple[int, bool, Box], ...]
    """(concept, whether it is a word, where) from back to front"""
    characters: tuple[tuple[str, Box], ...]
    """those of the title"""
    art: str | None
    """the icon set of the main object"""
    sprite: int
    """its row in the artwork, -1 where there is none"""
    sprites: tuple[int, ...]
    """the rows of all that was drawn"""

    def grade(self, concept: int) -> int:
        """2: the main object is the concept; 1: a small object or the title is; 0: neither."""
        if concept == self.main:
            return 2
        return 1 if concept == self.titled or concept in self.small else 0


class Composer:
    def __init__(self, concepts: Sequence[Concept], artwork: Artwork, fonts: Fonts):
        self.concepts = concepts
        self.artwork = artwork
        self.fonts = fonts
        self.names = [name for concept in concepts for name in concept.all_names]
        self.alphabet = _alphabet(concepts)
        self._filler = Filler([c for c in self.alphabet if not c.isascii()], invented_words(600), self.names)

    def cover(self, main: int, split: str, style: CoverStyle, rng: random.Random, noise: np.random.Generator) -> Cover:
        """A cover of concept `main` with the artwork, title templates and typefaces of `split`."""
        side, clutter = style.side, 1 - style.ease
        picture = background(side, rng, noise, clutter)
        regions: list[tuple[int, bool, Box]] = []
        has_object = rng.random() < style.object_share
        has_title = not has_object or rng.random() < style.title_share
        title_on_top = rng.random() < 0.45
        sprite, art, box = -1, None, None
        if has_object:
            sprite = rng.choice(self.artwork.of(main, split))
            art = self.artwork.sets[sprite]
            box = self._place_main(picture, sprite, style, has_title, title_on_top, rng)
            regions.append((main, False, box))
        small = self._small_concepts(style, rng)
        rows = [sprite] if has_object else []
        for concept in small:
            rows.append(rng.choice(self.artwork.of(concept, split)))
            regions.append((concept, False, self._place_small(picture, rows[-1], box, style, rng)))
        titled, title = -1, None
        characters: list[tuple[str, Box]] = []
        if has_title:
            titled = main
            if has_object and rng.random() < style.misleading_share:
                titled = (main + rng.randrange(1, len(self.concepts))) % len(self.concepts)
            filler = self._filler if split == "train" else None
            made = make_title(self.concepts[titled], split, rng, plain=rng.random() < 0.6 * style.ease, filler=filler)
            font = rng.choice(self.fonts.names(made.language, split))
            title = made.text
            drawn = draw_title(picture, made, font, self.fonts, rng, title_on_top, style.ease)
            regions += [(titled, True, where) for where in drawn.name]
            characters = drawn.characters
        pixels = _camera(picture, style, rng, noise)
        return Cover(pixels, main if has_object else -1, small, titled, title, tuple(regions), tuple(characters), art, sprite, tuple(rows))

    def _small_concepts(self, style: CoverStyle, rng: random.Random) -> tuple[int, ...]:
        if style.small_objects == 0 or rng.random() < 0.3 + 0.7 * style.ease:
            return ()
        return tuple(rng.randrange(len(self.concepts)) for _ in range(rng.randint(1, style.small_objects)))

    def _place_main(self, picture: Image.Image, row: int, style: CoverStyle, titled: bool, title_on_top: bool, rng: random.Random) -> Box:
        side = picture.width
        size = rng.uniform(0.5 + 0.2 * style.ease, 0.9 if not titled else 0.78)
        x = rng.uniform(-0.06, 1.06 - size) if rng.random() < 0.7 else (1 - size) / 2
        y = rng.uniform(-0.06, 1.06 - size)
        if titled:
            y = rng.uniform(1 - size - 0.06, 1.06 - size) if title_on_top else rng.uniform(-0.06, 0.06)
        return self._paste(picture, row, x * side, y * side, size * side, style, rng)

    def _place_small(self, picture: Image.Image, row: int, main: Box | None, style: CoverStyle, rng: random.Random) -> Box:
        """Of some random places the one that is farthest from the main object's centre."""
        size = rng.uniform(0.2, 0.33)
        places = [(rng.uniform(0, 1 - size), rng.uniform(0, 1 - size)) for _ in range(4)]
        if main is not None:
            cx, cy = (main[0] + main[2]) / 2, (main[1] + main[3]) / 2
            places.sort(key=lambda p: abs(p[0] + size / 2 - cx) + abs(p[1] + size / 2 - cy))
        x, y = places[-1]
        side = picture.width
        return self._paste(picture, row, x * side, y * side, size * side, style, rng)

    def _paste(self, picture: Image.Image, row: int, x: float, y: float, size: float, style: CoverStyle, rng: random.Random) -> Box:
        """Draws a sprite `size` pixels wide with its corner at (x, y), turned and tinted a little when augmenting."""
        whole = self.artwork.side
        level = 0 if size > 0.6 * whole else 1 if size > 0.3 * whole else 2
        drawing = rng.randint(1, DRAWINGS) if style.restyled and rng.random() < style.restyled else 0
        sprite = self.artwork.levels(row, drawing)[level]
        width, angle, flip = round(size), 0.0, False
        height = width
        if style.augment:
            if rng.random() < 0.4:
                width, height = round(size * rng.uniform(0.8, 1.1)), round(size * rng.uniform(0.85, 1.1))
            angle = rng.uniform(-18, 18) if rng.random() < 0.5 else 0.0
            flip = rng.random() < 0.25
        drawn = sprite.transform(
            (width, height), Image.Transform.AFFINE, _inverse(sprite.width, width, height, angle, flip), Image.Resampling.BILINEAR
        )
        if style.augment and rng.random() < 0.6:
            alpha = drawn.getchannel("A")
            drawn = drawn.convert("RGB").convert("RGB", _tint(rng))
            picture.paste(drawn, (round(x), round(y)), alpha)
        else:
            picture.paste(drawn, (round(x), round(y)), drawn)
        side = picture.width
        return x / side, y / side, (x + width) / side, (y + height) / side


def _alphabet(concepts: Sequence[Concept]) -> dict[str, int]:
    """Characters that a model learns to spell with, numbered: a to z, and those of Chinese names and of training's titles."""
    chinese = {c for text in [*TITLES["zh"]["train"], *(n for concept in concepts for n in concept.zh)] for c in text if c.isalpha()}
    return {c: number for number, c in enumerate([*ascii_lowercase, *sorted(chinese - set(ascii_lowercase))])}


def open_composer(folder: Path) -> Composer:
    """`folder` holds sprites.raw and sprites.json, and node_modules with the typefaces."""
    concepts = load_concepts()
    return Composer(concepts, Artwork(folder, len(concepts)), Fonts(folder / "node_modules" / "@expo-google-fonts"))


def _inverse(source: int, width: int, height: int, degrees: float, flip: bool) -> tuple[float, ...]:
    """Coefficients that map a drawn pixel back to the sprite's: scale, turn about the centre, mirror."""
    turn = np.deg2rad(degrees)
    cos, sin = np.cos(turn), np.sin(turn)
    sx, sy = source / width * (-1 if flip else 1), source / height
    a, b, d, e = sx * cos, sx * sin, -sy * sin, sy * cos
    c = source / 2 - a * width / 2 - b * height / 2
    f = source / 2 - d * width / 2 - e * height / 2
    return float(a), float(b), float(c), float(d), float(e), float(f)


def _tint(rng: random.Random) -> tuple[float, ...]:
    """A colour matrix: brightness, contrast, a cast, and now and then less colour or channels exchanged."""
    gains = [rng.uniform(0.75, 1.25) * rng.uniform(0.85, 1.15) for _ in range(3)]
    shift = rng.uniform(-30, 30)
    grey = rng.uniform(0.3, 1.0) if rng.random() < 0.2 else rng.uniform(0, 0.25)
    order = rng.sample(range(3), 3) if rng.random() < 0.12 else (0, 1, 2)
    luma = (0.299, 0.587, 0.114)
    rows: list[float] = []
    for channel in range(3):
        weights = [gains[channel] * (grey * luma[k] + (1 - grey) * (1.0 if k == order[channel] else 0.0)) for k in range(3)]
        rows += [*weights, shift]
    return tuple(rows)


def _camera(picture: Image.Image, style: CoverStyle, rng: random.Random, noise: np.random.Generator) -> np.ndarray:
    """What happens to a cover on its way: compression, softness, sensor noise."""
    if style.augment:
        if rng.random() < 0.15:
            smaller = round(picture.width * rng.uniform(0.6, 0.9))
            picture = picture.resize((smaller, smaller), Image.Resampling.BILINEAR).resize(picture.size, Image.Resampling.BICUBIC)
        if rng.random() < 0.4:
            stream = io.BytesIO()
            picture.save(stream, "JPEG", quality=rng.randint(45, 92))
            picture = Image.open(stream)
    pixels = np.asarray(picture.convert("RGB"))
    if style.augment and rng.random() < 0.2:
        grain = noise.normal(0, rng.uniform(2, 9), pixels.shape)
        pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    return pixels
