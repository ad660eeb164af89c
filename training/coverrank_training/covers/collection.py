"""Writes covers of a split as files: the CBVS format for training, manifest and judgements for searching them."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..data.cbvs import Row, write_rows
from .compose import Composer, Cover, CoverStyle, open_composer
from .phrases import make_query

STYLE = CoverStyle(ease=0.3, title_share=0.6, misleading_share=0.5, augment=False)
QUALITY = 82


def write_collection(out: Path, artwork: Path, split: str, count: int, side: int, seed: int) -> None:
    """`covers.tsv` (CBVS), `manifest.ndjson`, `qrels.tsv` (query, id, grade) and one WebP a cover.

    Concepts take turns. Every concept is asked for once in each language; every cover that shows or names it is judged.
    """
    composer = open_composer(artwork)
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    style, concepts = replace(STYLE, side=side), composer.concepts
    order = list(range(len(concepts)))
    rng.shuffle(order)
    covers, rows, manifest = [], [], []
    for number in range(count):
        cover = composer.cover(order[number % len(order)], split, style, rng, noise)
        name = f"cover-{number:04d}"
        Image.fromarray(cover.pixels).save(out / f"{name}.webp", quality=QUALITY, method=6)
        covers.append(cover)
        language = "zh" if rng.random() < 0.6 else "en"
        rows.append(Row(make_query(concepts[cover.main].names(language), language, split, rng), f"{name}.webp", cover.title))
        manifest.append(_entry(name, cover, composer, rng))
    write_rows(out / "covers.tsv", rows)
    (out / "manifest.ndjson").write_text("".join(json.dumps(e, ensure_ascii=False) + "\n" for e in manifest), encoding="utf-8")
    judgements = _judgements(covers, composer, split, rng)
    (out / "qrels.tsv").write_text("".join(judgements), encoding="utf-8")
    print(f"{count} covers, {len(judgements)} judgements in {out}")


def _entry(name: str, cover: Cover, composer: Composer, rng: random.Random) -> dict:
    concept = composer.concepts[cover.main]
    attributes = {
        "concept": concept.en[0],
        "concept_zh": concept.zh[0],
        "drawn_text": cover.title or "",
        "duration_s": rng.randint(15, 180),
        "art": cover.art,
    }
    return {"id": name, "file": f"{name}.webp", "title": cover.title or f"{concept.zh[0]} {concept.en[0]}", "attributes": attributes}


def _judgements(covers: list[Cover], composer: Composer, split: str, rng: random.Random) -> list[str]:
    lines = []
    for number, concept in enumerate(composer.concepts):
        judged = [(i, cover.grade(number)) for i, cover in enumerate(covers)]
        relevant = [(i, grade) for i, grade in judged if grade > 0]
        if not relevant:
            continue
        for language in ("zh", "en"):
            query = make_query(concept.names(language), language, split, rng)
            lines += [f"{query}\tcover-{i:04d}\t{grade}\n" for i, grade in relevant]
    return lines
