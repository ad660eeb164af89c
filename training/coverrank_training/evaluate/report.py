"""Prints what a checkpoint can do."""

from pathlib import Path

import numpy as np

from ..covers.collection import draw_collection
from ..covers.compose import open_composer
from ..data.tokenizer import Tokenizer
from ..models.checkpoint import load_model
from ..models.uniclip import Uniclip
from .fusion import find_candidates, fit_weights, gain
from .gates import UNLIKE, make_exam, sit_exam

COVERS = 800


def exam(checkpoint: Path, vocabulary: Path, artwork: Path, split: str, length: int = 12) -> None:
    model = load_model(checkpoint)
    if not isinstance(model, Uniclip):
        raise ValueError("the exam is for models of the UniCLIP family")
    model.eval()
    composer = open_composer(artwork)
    questions = make_exam(composer, split, side=model.sizes.image_side)
    resemblance = composer.artwork.resemblance()
    unlike = np.array([resemblance[cover.sprite] < UNLIKE for cover in questions.gallery])
    print(f"{split}: {len(questions.gallery)} concepts, {len(questions.queries)} queries; 95 % intervals")
    tokenizer, side = Tokenizer(vocabulary), model.sizes.image_side
    for name, figure in sit_exam(model, questions, tokenizer, length, unlike).items():
        print(f"{name:28} {figure}")
    if model.sizes.semantic_layers or model.sizes.matching_layers:
        found = {s: find_candidates(model, draw_collection(composer, s, COVERS, side), tokenizer, length) for s in {"validation", split}}
        weights = fit_weights(found["validation"])
        before, added = gain(found[split], weights)
        shown = ", ".join(f"{name} {weight}" for name, weight in zip(found[split].names, weights, strict=True))
        print(f"{'NDCG@10 by the cosine':28} {before:.3f} over {COVERS} covers")
        print(f"{'gained by reranking':28} {added} with {shown}, fitted on validation")
