"""Titles drawn on covers: which words, in how many lines, in what type."""

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw

from .concepts import Concept
from .filler import Filler
from .fonts import Fonts
from .phrases import TITLES

Line = list[tuple[str, bool]]
"""Pieces of text, each with whether it belongs to the concept's name."""

Box = tuple[float, float, float, float]
"""left, top, right, bottom as shares of the picture's side."""


@dataclass(frozen=True)
class Title:
    text: str
    language: str
    lines: list[Line]


CHINESE_SHARE = {"train": 0.6, "validation": 0.75, "test": 0.75}
"""English takes more practice than its share of what is asked later"""
FILLED_SHARE = 0.35


def make_title(concept: Concept, split: str, rng: random.Random, plain: bool = False, filler: Filler | None = None) -> Title:
    """A title about `concept`. `plain`: the name alone. With a `filler`, some have its words in the place of a template."""
    language = "zh" if rng.random() < CHINESE_SHARE[split] else "en"
    names = concept.names(language)
    name = names[0] if rng.random() < 0.8 else rng.choice(names)
    if plain:
        template = "{}"
    elif filler is not None and rng.random() < FILLED_SHARE:
        template = filler.template(name, language, rng)
    else:
        template = rng.choice(TITLES[language][split])
    before, after = template.split("{}")
    if language == "en":
        style = rng.random()
        case = str.upper if style < 0.35 else str.title if style < 0.7 else str
        before, name, after = case(before), case(name), case(after)
    lines = _chinese_lines(before, name, after, rng) if language == "zh" else _english_lines(before, name, after)
    return Title(before + name + after, language, lines)


def _chinese_lines(before: str, name: str, after: str, rng: random.Random) -> list[Line]:
    whole = len(before) + len(name) + len(after)
    if whole <= rng.choice((4, 5, 5, 6)) or whole == len(name):
        return [[(before, False), (name, True), (after, False)]]
    late, early = len(before) + len(name), len(name) + len(after)
    if before and (not after or early <= late):
        return [[(before, False)], [(name, True), (after, False)]]
    return [[(before, False), (name, True)], [(after, False)]]


def _english_lines(before: str, name: str, after: str, longest: int = 11) -> list[Line]:
    words = [(w, False) for w in before.split()] + [(w, True) for w in name.split()]
    if after and not after.startswith(" "):
        words[-1] = (words[-1][0] + after, True)
    else:
        words += [(w, False) for w in after.split()]
    lines: list[list[tuple[str, bool]]] = [[]]
    for word in words:
        length = sum(len(w) + 1 for w, _ in lines[-1])
        if lines[-1] and length + len(word[0]) > longest:
            lines.append([])
        lines[-1].append(word)
    return [[(w if i == 0 else " " + w, named) for i, (w, named) in enumerate(line)] for line in lines]


@dataclass(frozen=True)
class Drawn:
    name: list[Box]
    """the boxes of the concept's name"""
    characters: list[tuple[str, Box]]
    """those of the title, in lower case"""


def draw_title(picture: Image.Image, title: Title, font: str, fonts: Fonts, rng: random.Random, top: bool, large: float) -> Drawn:
    """Draws the title near the top or the bottom, as large as fits.

    `large` from 0 to 1 favours large type.
    """
    side = picture.width
    smallest, largest = (0.19 + 0.05 * large, 0.33) if title.language == "zh" else (0.17 + 0.04 * large, 0.25)
    size = round(side * rng.uniform(smallest, largest))
    texts = ["".join(text for text, _ in line) for line in title.lines]
    face = fonts.open(font, size)
    widest = max(face.getlength(text) for text in texts)
    if widest > 0.94 * side:
        size = max(8, int(size * 0.94 * side / widest))
        face = fonts.open(font, size)
    boxes = [face.getbbox(text) for text in texts]
    above, below = min(b[1] for b in boxes), max(b[3] for b in boxes)
    step = below - above + max(1, round(size * 0.1))
    height = step * (len(texts) - 1) + below - above
    margin = round(side * rng.uniform(0.015, 0.1))
    y = margin if top else side - height - margin
    widest = max(b[2] for b in boxes)
    left = max(1.0, (side - widest) / 2 if rng.random() < 0.6 else rng.uniform(1, max(1.5, side - widest - 2)))
    ink, paper = _colours(rng)
    style = rng.random()
    draw = ImageDraw.Draw(picture)
    if style < 0.3:
        pad = side * 0.02
        draw.rectangle([left - pad, y - pad, left + widest + pad, y + height + pad], fill=paper)
    stroke = 0 if style < 0.3 or style > 0.93 else max(1, round(size * rng.choice((0.04, 0.07))))
    drawn = Drawn([], [])
    for number, (line, text) in enumerate(zip(title.lines, texts, strict=True)):
        x = left + (widest - face.getlength(text)) / 2 * (1 if title.language == "zh" else rng.choice((0, 1)))
        origin = y - above + number * step
        draw.text((x, origin), text, font=face, fill=ink, stroke_width=stroke, stroke_fill=paper)
        top_edge, bottom_edge = (origin + above) / side, (origin + below) / side
        ends = [x + face.getlength(text[:count]) for count in range(len(text) + 1)]
        drawn.characters.extend(
            (character.lower(), (ends[i] / side, top_edge, ends[i + 1] / side, bottom_edge))
            for i, character in enumerate(text)
            if character.isalpha()
        )
        for piece, is_name in line:
            width = face.getlength(piece)
            if is_name and piece:
                drawn.name.append((x / side, top_edge, (x + width) / side, bottom_edge))
            x += width
    return drawn


def _colours(rng: random.Random) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ink and the colour of its outline or box, far apart in lightness."""
    if rng.random() < 0.35:
        return tuple(rng.randint(0, 90) for _ in range(3)), tuple(rng.randint(190, 255) for _ in range(3))
    ink = tuple(rng.randint(170, 255) for _ in range(3))
    if rng.random() < 0.3:
        ink = tuple(255 if c == max(ink) else rng.randint(0, 255) for c in ink)
    light = 0.3 * ink[0] + 0.59 * ink[1] + 0.11 * ink[2] > 127
    return ink, tuple(rng.randint(0, 70) if light else rng.randint(190, 255) for _ in range(3))
