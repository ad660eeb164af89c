"""Other drawings of an icon: what one set shows in one way is shown in many, so that training does not learn a set's style.

On covers of restyled training icons a model finds as little as on those of a set that it never saw, while it finds nearly
everything on covers of the icons as they are: only the former teach what is asked for.
"""

import colorsys
import random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

Colour = tuple[int, int, int]

ONE_COLOUR = 12
"""levels by which the opaque pixels of an icon of one colour differ at most"""
OPAQUE = 70


def restyle(sprite: Image.Image, rng: random.Random) -> Image.Image:
    """Another drawing of an RGBA sprite, of its size: other colours, lines and proportions."""
    if has_one_colour(sprite):
        drawn = _painted(sprite, rng)
    else:
        drawn = _recoloured(sprite, rng) if rng.random() < 0.75 else sprite
        if rng.random() < 0.2:
            drawn = _with_inner_lines(drawn, rng)
    if rng.random() < 0.7:
        drawn = _bent(drawn, rng)
    return _outlined(drawn, rng) if rng.random() < 0.35 else drawn


def has_one_colour(sprite: Image.Image) -> bool:
    pixels = np.asarray(sprite)
    seen = pixels[pixels[..., 3] > 128][:, :3]
    return len(seen) > 0 and bool((np.ptp(seen.astype(int), axis=0) <= ONE_COLOUR).all())


def _painted(sprite: Image.Image, rng: random.Random) -> Image.Image:
    """Lines of one colour become a picture: what they enclose is filled, some of it in colours of its own."""
    alpha = sprite.getchannel("A")
    drawn = Image.new("RGBA", sprite.size, (0, 0, 0, 0))
    if rng.random() < 0.75:
        enclosed = _enclosed(alpha)
        drawn.paste(_plain(sprite, _light(rng)), (0, 0), enclosed.point(lambda v: 255 if v != 128 else 0))
        for _ in range(rng.randint(0, 3)):
            places = np.argwhere(np.asarray(enclosed) == 0)
            if len(places) == 0:
                break
            y, x = places[rng.randrange(len(places))]
            ImageDraw.floodfill(enclosed, (int(x), int(y)), 200)
            part = enclosed.point(lambda v: 255 if v == 200 else 0).filter(ImageFilter.MaxFilter(3))
            drawn.paste(_plain(sprite, _any(rng)), (0, 0), part)
            enclosed = enclosed.point(lambda v: 64 if v == 200 else v)
    lines = alpha.filter(ImageFilter.MaxFilter(3)) if rng.random() < 0.5 else alpha
    drawn.paste(_plain(sprite, _any(rng) if rng.random() < 0.3 else _dark(rng)), (0, 0), lines)
    return drawn


def _enclosed(alpha: Image.Image) -> Image.Image:
    """255 on the lines, 128 outside of them, 0 in what they enclose."""
    width, height = alpha.size
    framed = Image.new("L", (width + 2, height + 2), 0)
    framed.paste(alpha.point(lambda v: 255 if v > OPAQUE else 0), (1, 1))
    ImageDraw.floodfill(framed, (0, 0), 128)
    return framed.crop((1, 1, width + 1, height + 1))


def _recoloured(sprite: Image.Image, rng: random.Random) -> Image.Image:
    """Another hue for all of it, another colour for each of few, or two colours for dark and light."""
    rgb, way = sprite.convert("RGB"), rng.random()
    if way < 0.45:
        hsv = np.array(rgb.convert("HSV")).astype(np.int16)
        hsv[..., 0] = (hsv[..., 0] + rng.choice([rng.randint(-30, 30), rng.randint(0, 255)])) % 256
        hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.3, 1.4) + rng.uniform(-10, 30), 0, 255)
        hsv[..., 2] = np.clip(hsv[..., 2] * rng.uniform(0.7, 1.25) + rng.uniform(-30, 30), 0, 255)
        rgb = Image.fromarray(hsv.astype(np.uint8), "HSV").convert("RGB")
    elif way < 0.85:
        few = rgb.quantize(rng.randint(4, 10), method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        colours = np.array(few.getpalette(), np.float32)
        far = rng.choice([25, 50, 90])
        few.putpalette(np.clip(colours + [rng.gauss(0, far) for _ in colours], 0, 255).astype(np.uint8).tolist())
        rgb = few.convert("RGB")
    else:
        rgb = ImageOps.colorize(rgb.convert("L"), _dark(rng), _light(rng))
    drawn = rgb.convert("RGBA")
    drawn.putalpha(sprite.getchannel("A"))
    return drawn


def _with_inner_lines(sprite: Image.Image, rng: random.Random) -> Image.Image:
    edges = sprite.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(3))
    alpha = sprite.getchannel("A")
    drawn = sprite.copy()
    drawn.paste(_plain(sprite, _dark(rng)), (0, 0), ImageChops.multiply(edges.point(lambda v: 255 if v > 40 else 0), alpha))
    drawn.putalpha(alpha)
    return drawn


def _outlined(sprite: Image.Image, rng: random.Random) -> Image.Image:
    drawn = _plain(sprite, _dark(rng) if rng.random() < 0.7 else (255, 255, 255))
    drawn.putalpha(sprite.getchannel("A").filter(ImageFilter.MaxFilter(rng.choice([3, 5, 5, 7]))))
    drawn.alpha_composite(sprite)
    return drawn


def _bent(sprite: Image.Image, rng: random.Random) -> Image.Image:
    """The corners of a coarse grid moved a little: other proportions."""
    side, cells = sprite.width, rng.choice([2, 3])
    far = 0.18 * side / cells
    steps = range(cells + 1)
    corners = {(i, j): (side * i / cells + rng.uniform(-far, far), side * j / cells + rng.uniform(-far, far)) for i in steps for j in steps}
    edges = [round(side * i / cells) for i in steps]
    mesh = [
        (
            (edges[i], edges[j], edges[i + 1], edges[j + 1]),
            (*corners[i, j], *corners[i, j + 1], *corners[i + 1, j + 1], *corners[i + 1, j]),
        )
        for i in range(cells)
        for j in range(cells)
    ]
    return sprite.transform(sprite.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def _plain(like: Image.Image, colour: Colour) -> Image.Image:
    return Image.new("RGBA", like.size, (*colour, 255))


def _any(rng: random.Random) -> Colour:
    return _colour(rng, 0.1, 1.0)


def _light(rng: random.Random) -> Colour:
    return _colour(rng, 0.6, 1.0)


def _dark(rng: random.Random) -> Colour:
    return _colour(rng, 0.05, 0.55)


def _colour(rng: random.Random, least: float, most: float) -> Colour:
    """Of any hue, rather colourful, of a brightness between the two."""
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), 0.9 * rng.random() ** 0.7, rng.uniform(least, most))
    return round(255 * red), round(255 * green), round(255 * blue)
