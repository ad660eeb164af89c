"""Puts a run together from a recipe and what the command line names."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..covers.collection import draw_collection
from ..covers.compose import Composer, open_composer
from ..data.cbvs import CbvsData, read_rows
from ..data.synthetic import SyntheticData
from ..data.tokenizer import Tokenizer
from ..evaluate.fusion import find_candidates, fit_weights, gain
from ..evaluate.gates import make_exam, sit_exam
from ..evaluate.pairs import evaluate_pairs
from ..evaluate.report import COVERS
from ..losses.teaching import Teacher
from ..models.checkpoint import load_model, read_weights, uniclip_sizes
from ..models.r2d2 import R2d2
from ..models.uniclip import Uniclip, UniclipSizes
from .loop import Run
from .objective import Objective
from .recipe import Recipe
from .second_look import TERMS as SECOND_LOOK_TERMS
from .second_look import SecondLook

MATCHING_PARTS = ("itm_visual.", "itm_scale", "itm_decoder.", "ln_itm.", "proj_itm")
_PAIR_TERMS = {"contrastive", "presence", "semantic", "matching"}


@dataclass(frozen=True)
class Sources:
    vocabulary: Path
    checkpoint: Path | None = None
    teacher: Path | None = None
    """the state.pt of an earlier run, whose training-only heads are taken over"""
    data: Path | None = None
    validation: Path | None = None
    pictures: Path | None = None
    artwork: Path | None = None
    """with sprites.raw and sprites.json, and node_modules with the fonts beside them"""


def assemble(recipe: Recipe, sources: Sources, folder: Path) -> Run:
    torch.manual_seed(recipe.seed)
    tokenizer = Tokenizer(sources.vocabulary)
    model = _model(recipe, sources, tokenizer)
    sizes = model.sizes
    if recipe.synthetic:
        if sources.artwork is None:
            raise ValueError("synthetic covers need --artwork")
        composer = open_composer(sources.artwork)
        data = SyntheticData(
            composer, tokenizer, side=sizes.image_side, patch=sizes.patch, length=recipe.length, pair_length=recipe.pair_length,
            pairs=max(1, recipe.pairs), batch=recipe.batch, seed=recipe.seed, reuse=recipe.reuse, covers_before=recipe.covers_before,
            restyled=recipe.restyled,
        )  # fmt: skip
        if recipe.second_look:
            return _second_look(model, recipe, sources, composer, data, folder)
        exam = make_exam(composer, "validation", side=sizes.image_side)

        def evaluate(objective: nn.Module) -> dict[str, float]:
            figures = sit_exam(objective.model, exam, tokenizer, recipe.length)  # type: ignore[arg-type]
            return {name: figure.value for name, figure in figures.items()}

        queries = data.query_bank() if "matching" in recipe.losses else None
        return Run(_objective(model, recipe, sources, composer, queries), data, recipe, folder, evaluate)
    if sources.data is None or sources.pictures is None:
        raise ValueError("name the covers by --data and --pictures, or take a recipe that draws them")
    if isinstance(model, Uniclip) and "matching" in recipe.losses and recipe.length != recipe.pair_length:
        raise ValueError("the matching head serves texts of pair_length: with losses.matching, length has to be the same")
    pairs = CbvsData(
        read_rows(sources.data), sources.pictures, tokenizer, side=sizes.image_side, length=recipe.length,
        pair_length=recipe.pair_length, batch=recipe.batch, seed=recipe.seed,
    )  # fmt: skip
    held_out = read_rows(sources.validation) if sources.validation else None

    def evaluate_held_out(objective: nn.Module) -> dict[str, float]:
        device = next(objective.parameters()).device
        return evaluate_pairs(objective.model, pairs, held_out or [], device)  # type: ignore[arg-type]

    return Run(_objective(model, recipe, sources), pairs, recipe, folder, evaluate_held_out if held_out else None)


def _second_look(model: Uniclip | R2d2, recipe: Recipe, sources: Sources, composer: Composer, data: SyntheticData, folder: Path) -> Run:
    if not isinstance(model, Uniclip) or not model.sizes.matching_vision_layers:
        raise ValueError("second_look needs matching_vision_layers in [model], or a checkpoint that has them")
    if unknown := sorted(set(recipe.losses) - SECOND_LOOK_TERMS):
        raise ValueError(f"second_look has no losses named {', '.join(unknown)}")
    collection = draw_collection(composer, "validation", COVERS, model.sizes.image_side)

    def evaluate(objective: nn.Module) -> dict[str, float]:
        found = find_candidates(objective.model, collection, data.tokenizer, recipe.length)  # type: ignore[arg-type]
        weights = fit_weights(found)
        before, added = gain(found, weights)
        return {"NDCG@10 by the cosine": before, "gained where fitted": added.value, **dict(zip(found.names, weights, strict=True))}

    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(MATCHING_PARTS))
    return Run(SecondLook(model, _teacher(model, sources, composer), recipe, data.query_bank()), data, recipe, folder, evaluate)


def _model(recipe: Recipe, sources: Sources, tokenizer: Tokenizer) -> Uniclip | R2d2:
    if sources.checkpoint is None:
        return Uniclip(UniclipSizes(**{"vocabulary": tokenizer.size, **recipe.model}))
    if not recipe.model:
        return load_model(sources.checkpoint)
    weights = read_weights(sources.checkpoint)
    model = Uniclip(replace(uniclip_sizes(weights), **recipe.model))
    own = model.state_dict()
    # A tower of the matching head's own starts as the other one.
    weights |= {name: weights[first] for name in own if name not in weights and (first := name.removeprefix("itm_")) in weights}
    fitting = {name: w for name, w in weights.items() if name in own and own[name].shape == w.shape}
    missing = sorted({name.split(".")[0] for name in own if name not in fitting})
    print(f"{len(fitting)} of {len(own)} tensors from {sources.checkpoint.name}; new: {', '.join(missing) or 'none'}", flush=True)
    model.load_state_dict(fitting, strict=False)
    return model


def _objective(
    model: Uniclip | R2d2, recipe: Recipe, sources: Sources, composer: Composer | None = None, queries: Tensor | None = None
) -> Objective:
    teacher = None
    if set(recipe.losses) - _PAIR_TERMS or queries is not None:
        if not isinstance(model, Uniclip) or composer is None:
            raise ValueError("only synthetic covers and a UniCLIP model can be taught by labels")
        teacher = _teacher(model, sources, composer)
    return Objective(model, teacher, recipe, queries)


def _teacher(model: Uniclip, sources: Sources, composer: Composer) -> Teacher:
    sizes = model.sizes
    teacher = Teacher(sizes.vision_width, sizes.embedding, len(composer.concepts), len(composer.alphabet), sizes.vision_heads)
    if sources.teacher is not None:
        state = torch.load(sources.teacher, map_location="cpu", weights_only=True)
        weights = state["averaged"] or state["objective"]
        known = {k.removeprefix("teacher."): v for k, v in weights.items() if k.startswith("teacher.")}
        teacher.load_state_dict(known, strict=False)
    return teacher
