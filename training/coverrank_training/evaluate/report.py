"""Prints what a checkpoint can do."""

from pathlib import Path

import numpy as np

from ..covers.compose import open_composer
from ..data.tokenizer import Tokenizer
from ..models.checkpoint import load_model
from ..models.uniclip import Uniclip
from .gates import UNLIKE, make_exam, sit_exam


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
    for name, figure in sit_exam(model, questions, Tokenizer(vocabulary), length, unlike).items():
        print(f"{name:28} {figure}")
