"""What lies behind the objects: plain colours, gradients, textures, stripes and shapes."""

import random

import numpy as np
from PIL import Image, ImageDraw


def background(side: int, rng: random.Random, noise: np.random.Generator, clutter: float) -> Image.Image:
    """An RGB picture of `side` x `side`. `clutter` from 0 (mild) to 1 moves from plain colours to textures and shapes."""
    kind = rng.random() * (0.35 + 0.65 * clutter)
    if kind < 0.2:
        picture = Image.new("RGB", (side, side), _colour(rng))
    elif kind < 0.6:
        picture = _blurred(side, noise, rng.choice((2, 2, 3, 4)), 60, Image.Resampling.BICUBIC)
    elif kind < 0.9:
        smooth = Image.Resampling.BILINEAR if rng.random() < 0.6 else Image.Resampling.NEAREST
        picture = _blurred(side, noise, rng.choice((4, 6, 8, 12, 20)), rng.choice((12, 25, 45)), smooth)
    else:
        picture = _stripes(side, rng)
    if rng.random() < 0.3 * clutter:
        _shapes(picture, rng)
    return picture


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return (rng.randrange(256), rng.randrange(256), rng.randrange(256))


def _blurred(side: int, noise: np.random.Generator, cells: int, spread: float, how: Image.Resampling) -> Image.Image:
    base = noise.integers(0, 256, 3)
    cells_rgb = np.clip(base + noise.normal(0, spread, (cells, cells, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(cells_rgb).resize((side, side), how)


def _stripes(side: int, rng: random.Random) -> Image.Image:
    picture = Image.new("RGB", (side, side), _colour(rng))
    draw, colour = ImageDraw.Draw(picture), _colour(rng)
    step, slant = rng.randint(side // 12, side // 4), rng.randint(-side // 2, side // 2)
    for x in range(-side, 2 * side, step):
        draw.line([(x, 0), (x + slant, side)], fill=colour, width=max(1, step // 3))
    return picture


def _shapes(picture: Image.Image, rng: random.Random) -> None:
    draw, side = ImageDraw.Draw(picture), picture.width
    for _ in range(rng.randint(1, 5)):
        x, y = rng.randint(-side // 5, side), rng.randint(-side // 5, side)
        box = [x, y, x + rng.randint(side // 18, side // 2), y + rng.randint(side // 18, side // 2)]
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)(box, fill=_colour(rng))
