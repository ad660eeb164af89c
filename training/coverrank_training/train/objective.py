"""The losses of a batch, as one module, so that several processes can share their gradients."""

import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..losses import matching as matching_losses
from ..losses import r2d2 as r2d2_losses
from ..losses import uniclip as uniclip_losses
from ..losses.teaching import Lesson, Teacher
from ..models.r2d2 import R2d2
from ..models.uniclip import Uniclip
from .recipe import Recipe

LARGEST_SCALE = 100.0


class Objective(nn.Module):
    def __init__(self, model: Uniclip | R2d2, teacher: Teacher | None, recipe: Recipe, queries: Tensor | None = None):
        """`queries` [C, V, L]: some for each concept of synthetic covers, for matching."""
        super().__init__()
        self.model = model
        self.teacher = teacher
        self.recipe = recipe
        self.register_buffer("queries", queries, persistent=False)

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
        seen = model.second_look(batch.pixels(), kept)[1] if model.sizes.matching_vision_layers and "matching" in wanted else tokens
        text, states = model.words(batch.text_ids)
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
        if "matching" in wanted and lesson is None:
            pictures, texts, labels = pairs_in_batch(image, text, scale, batch.text_ids, generator)
            logits = model.match(seen[pictures], states[texts][:, None])
            terms["matching"] = nn.functional.cross_entropy(logits[:, 0].float(), labels)
        elif "matching" in wanted and lesson is not None:
            scaled = scale * nn.functional.normalize(image[some].float(), dim=-1)
            terms["matching"] = self._matching_by_grade(model, seen[some], scaled, lesson.of(some), generator)
        if self.teacher is not None and lesson is not None and set(wanted) - set(terms):
            terms |= self.teacher(image, tokens, text, scale, lesson, generator)
        return {name: terms[name] for name in wanted}

    def _matching_by_grade(self, model: Uniclip, tokens: Tensor, scaled: Tensor, lesson: Lesson, generator: torch.Generator) -> Tensor:
        """Against queries over all concepts that come near the covers; `scaled` [B, E] are their normalised embeddings times the scale."""
        assert self.teacher is not None
        assert self.queries is not None
        concepts = matching_losses.hard_concepts(lesson, self.teacher.nearness(scaled), self.recipe.matched, generator)
        asked, place = concepts.unique(return_inverse=True)
        wordings = torch.randint(self.queries.shape[1], asked.shape, generator=generator).to(asked.device)
        states = model.bert(self.queries[asked, wordings])[place]
        return matching_losses.graded(model.match(tokens, states), matching_losses.relevance(lesson, concepts))

    def _r2d2(self, model: R2d2, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        wanted = self.recipe.losses
        image, tokens = model.image(batch.pixels())
        text, hidden = model.words(batch.text_ids)
        terms = {"contrastive": r2d2_losses.pre_ranking(image, text, model.temp)}
        if "matching" in wanted:
            ids = batch.text_ids
            scale = 1 / model.temp.clamp(*r2d2_losses.TEMPERATURES)
            pictures, texts, labels = pairs_in_batch(image, text, scale, ids, generator)
            by_text, by_image = model.match(tokens[pictures], hidden[texts], ids[texts])
            terms["matching"] = r2d2_losses.matching(by_text, by_image, labels)
        return {name: terms[name] for name in wanted}


def pairs_in_batch(image: Tensor, text: Tensor, scale: Tensor, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of pictures and of texts, and whether they belong together: all that do, and for each side a hard one that does not."""
    with torch.no_grad():
        logits = scale * nn.functional.normalize(image.float(), dim=-1) @ nn.functional.normalize(text.float(), dim=-1).T
        same = (ids[:, None] == ids[None]).all(-1).cpu()
        other_text, other_image = (index.to(ids.device) for index in r2d2_losses.hard_negatives(logits.cpu(), same, generator))
    own = torch.arange(len(ids), device=ids.device)
    pictures, texts = torch.cat([own, own, other_image]), torch.cat([own, other_text, own])
    return pictures, texts, (pictures == texts).long()


def titled_first(batch: Batch) -> Tensor:
    """[B]: covers with something to tell the semantic head, then those without."""
    return (batch.pair_labels < 0).all(1).long().argsort(stable=True)


def busiest_patches(lesson: Lesson, count: int, generator: torch.Generator, words: float = 0.9, objects: float = 0.6) -> Tensor:
    """[B, count]: patches in the order of what words and objects on them weigh, and a chance between 0 and 1 besides."""
    nothing = lesson.objects.max().clamp(min=lesson.words.max())
    chance = torch.rand(lesson.objects.shape, generator=generator).to(lesson.objects.device)
    busy = objects * (lesson.objects < nothing) + words * (lesson.words < nothing) + chance
    return busy.argsort(1, descending=True)[:, :count]
