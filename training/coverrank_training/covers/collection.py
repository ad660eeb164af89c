"""Covers of a split with queries and judgements, in memory and as files."""

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..data.cbvs import Row, write_rows
from .artwork import LICENCES
from .compose import Composer, Cover, CoverStyle, open_composer
from .phrases import make_query

STYLE = CoverStyle(ease=0.3, title_share=0.6, misleading_share=0.5, augment=False)
QUALITY = 82


@dataclass(frozen=True)
class Collection:
    covers: list[Cover]
    queries: list[tuple[int, str]]
    """(concept, text): every concept that some cover shows or names, once in each language"""


def draw_collection(composer: Composer, split: str, count: int, side: int, seed: int = 1, ease: float = STYLE.ease) -> Collection:
    """Concepts take turns as the main object."""
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    style, concepts = replace(STYLE, side=side, ease=ease), composer.concepts
    order = list(range(len(concepts)))
    rng.shuffle(order)
    covers = [composer.cover(order[number % len(order)], split, style, rng, noise) for number in range(count)]
    asked = [number for number in range(len(concepts)) if any(cover.grade(number) for cover in covers)]
    queries = [(n, make_query(concepts[n].names(language), language, split, rng)) for n in asked for language in ("zh", "en")]
    return Collection(covers, queries)


def _licences(composer: Composer, cover: Cover) -> str:
    return ", ".join(sorted({LICENCES[composer.artwork.sets[row]] for row in cover.sprites}))


def write_collection(out: Path, artwork: Path, split: str, count: int, side: int, seed: int, ease: float) -> None:
    """`covers.tsv` (CBVS), `manifest.ndjson`, `qrels.tsv` (query, id, grade) and one WebP a cover."""
    composer = open_composer(artwork)
    collection = draw_collection(composer, split, count, side, seed, ease)
    rng = random.Random(seed)
    out.mkdir(parents=True, exist_ok=True)
    rows, manifest, judgements = [], [], []
    for number, cover in enumerate(collection.covers):
        name = f"cover-{number:04d}"
        Image.fromarray(cover.pixels).save(out / f"{name}.webp", quality=QUALITY, method=6)
        concept, language = composer.concepts[cover.main], "zh" if rng.random() < 0.6 else "en"
        rows.append(Row(make_query(concept.names(language), language, split, rng), f"{name}.webp", cover.title))
        attributes = {
            "concept": concept.en[0],
            "concept_zh": concept.zh[0],
            "drawn_text": cover.title or "",
            "duration_s": rng.randint(15, 180),
            "art": cover.art,
            "licence": _licences(composer, cover),
        }
        title = cover.title or f"{concept.zh[0]} {concept.en[0]}"
        manifest.append({"id": name, "file": f"{name}.webp", "title": title, "attributes": attributes})
    for concept_number, query in collection.queries:
        graded = ((number, cover.grade(concept_number)) for number, cover in enumerate(collection.covers))
        judgements += [f"{query}\tcover-{number:04d}\t{grade}\n" for number, grade in graded if grade]
    write_rows(out / "covers.tsv", rows)
    (out / "manifest.ndjson").write_text("".join(json.dumps(e, ensure_ascii=False) + "\n" for e in manifest), encoding="utf-8")
    (out / "qrels.tsv").write_text("".join(judgements), encoding="utf-8")
    print(f"{count} covers, {len(judgements)} judgements in {out}")
