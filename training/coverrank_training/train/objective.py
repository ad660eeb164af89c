"""The losses of a batch, as one module, so that several processes can share their gradients."""

import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..losses import r2d2 as r2d2_losses
from ..losses import uniclip as uniclip_losses
from ..losses.teaching import Lesson, Teacher
from ..models.r2d2 import R2d2
from ..models.uniclip import Uniclip
from .recipe import Recipe

LARGEST_SCALE = 100.0


class Objective(nn.Module):
    def __init__(self, model: Uniclip | R2d2, teacher: Teacher | None, recipe: Recipe):
        super().__init__()
        self.model = model
        self.teacher = teacher
        self.recipe = recipe

    def forward(self, batch: Batch, generator: torch.Generator, look_at_all: bool = True) -> dict[str, Tensor]:
        """Each term by name, not weighted. Whatever is drawn by chance comes from `generator` (on the CPU)."""
        if isinstance(self.model, R2d2):
            return self._r2d2(self.model, batch, generator)
        return self._uniclip(self.model, batch, generator, look_at_all)

    def _uniclip(self, model: Uniclip, batch: Batch, generator: torch.Generator, look_at_all: bool) -> dict[str, Tensor]:
        wanted, lesson, kept = self.recipe.losses, batch.lesson, None
        if lesson is not None and self.recipe.kept_patches and not look_at_all:
            kept = busiest_patches(lesson, self.recipe.kept_patches, generator)
            lesson = lesson.at(kept)
        image, tokens = model.image(batch.pixels(), kept)
        text = model.text(batch.text_ids)
        scale = model.logit_scale.exp().clamp(max=LARGEST_SCALE)
        terms: dict[str, Tensor] = {}
        if "contrastive" in wanted:
            terms["contrastive"] = uniclip_losses.contrastive(image, text, scale)
        some = slice(None, None, self.recipe.heads_every)
        if "presence" in wanted:
            terms["presence"] = uniclip_losses.presence(model.presence(tokens[some]), batch.has_text[some])
        if "semantic" in wanted:
            told = titled_first(batch)[: -(-len(tokens) // self.recipe.heads_every)]
            logits = model.semantic(tokens[told], batch.pair_ids[told])
            terms["semantic"] = uniclip_losses.semantic(logits, batch.pair_labels[told])
        if self.teacher is not None and lesson is not None:
            terms |= self.teacher(image, tokens, text, scale, lesson, generator)
        return {name: terms[name] for name in wanted}

    def _r2d2(self, model: R2d2, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        wanted = self.recipe.losses
        image, tokens = model.image(batch.pixels())
        text, hidden = model.words(batch.text_ids)
        terms = {"contrastive": r2d2_losses.pre_ranking(image, text, model.temp)}
        if "matching" in wanted:
            ids = batch.text_ids
            with torch.no_grad():
                similarity = nn.functional.normalize(image.float(), dim=-1) @ nn.functional.normalize(text.float(), dim=-1).T
                logits = (similarity / model.temp.clamp(*r2d2_losses.TEMPERATURES)).cpu()
                same = (ids[:, None] == ids[None]).all(-1).cpu()
                other_text, other_image = (index.to(ids.device) for index in r2d2_losses.hard_negatives(logits, same, generator))
            own = torch.arange(len(ids), device=ids.device)
            pictures, texts = torch.cat([own, own, other_image]), torch.cat([own, other_text, own])
            labels = (pictures == texts).long()
            by_text, by_image = model.match(tokens[pictures], hidden[texts], ids[texts])
            terms["matching"] = r2d2_losses.matching(by_text, by_image, labels)
        return {name: terms[name] for name in wanted}


def titled_first(batch: Batch) -> Tensor:
    """[B]: covers with something to tell the semantic head, then those without."""
    return (batch.pair_labels < 0).all(1).long().argsort(stable=True)


def busiest_patches(lesson: Lesson, count: int, generator: torch.Generator) -> Tensor:
    """[B, count]: patches with words first, then those with objects, then any; ties by chance."""
    nothing = lesson.objects.max().clamp(min=lesson.words.max())
    chance = torch.rand(lesson.objects.shape, generator=generator).to(lesson.objects.device)
    busy = 0.6 * (lesson.objects < nothing) + 0.9 * (lesson.words < nothing) + chance
    return busy.argsort(1, descending=True)[:, :count]
