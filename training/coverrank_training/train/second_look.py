"""The losses of the image tower that a matching head has for itself: what ranks a query's best covers a second time.

All else of the model stays as it is. The texts' states are therefore computed once.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..data.batch import Batch
from ..losses import matching as matching_losses
from ..losses.teaching import Lesson, Teacher, embedding_shares, soft_cross_entropy
from ..models.uniclip import Uniclip
from .objective import LARGEST_SCALE, busiest_patches
from .recipe import Recipe

TERMS = {"concept", "matching", "title", "main", "objects", "words", "characters"}
TEXTS_AT_ONCE = 1600
FIRST_SCALE = 20.0
"""of the cosines while concepts are learned: on covers that are hard to tell a finished model's scale would be too sure"""
BUSY = {"words": 0.4, "objects": 0.9}
"""what patches are looked at first: those with objects, as it is for them that covers are looked at a second time"""


class SecondLook(nn.Module):
    """`queries` [C, V, L]: some for each concept of synthetic covers."""

    def __init__(self, model: Uniclip, teacher: Teacher, recipe: Recipe, queries: Tensor):
        super().__init__()
        self.model = model
        self.teacher = teacher
        self.recipe = recipe
        self.concept_scale = nn.Parameter(torch.tensor(FIRST_SCALE).log())
        self.register_buffer("queries", queries, persistent=False)
        self._texts: tuple[Tensor, Tensor] | None = None

    def forward(self, batch: Batch, generator: torch.Generator, look_at_all: bool = True) -> dict[str, Tensor]:
        """Each term by name, not weighted. Whatever is drawn by chance comes from `generator` (on the CPU)."""
        lesson, kept = batch.lesson, None
        assert lesson is not None
        if self.recipe.kept_patches and not look_at_all:
            kept = busiest_patches(lesson, self.recipe.kept_patches, generator, **BUSY)
            lesson = lesson.at(kept)
        image, tokens = self.model.second_look(batch.pixels(), kept)
        nearness = self._nearness(image, generator)
        terms = {
            "concept": soft_cross_entropy(nearness, embedding_shares(lesson, self.teacher.concepts)),
            **self.teacher.labels(tokens, lesson, generator),
        }
        if "matching" in self.recipe.losses:
            some = slice(None, None, self.recipe.heads_every)
            terms["matching"] = self._matching(tokens[some], nearness[some], lesson.of(some), generator)
        return {name: terms[name] for name in self.recipe.losses}

    def _nearness(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """[B, E] -> [B, C]: cosines with one wording for each concept, times the scale"""
        embeddings, _ = self._read()
        texts = embeddings[torch.arange(len(embeddings), device=embeddings.device), self._wordings(len(embeddings), generator)]
        scale = self.concept_scale.exp().clamp(max=LARGEST_SCALE)
        return scale * normalize(image.float(), dim=-1) @ texts.T

    def _matching(self, tokens: Tensor, nearness: Tensor, lesson: Lesson, generator: torch.Generator) -> Tensor:
        concepts = matching_losses.hard_concepts(lesson, nearness, self.recipe.matched, generator)
        _, texts = self._read()
        states = texts[concepts, self._wordings(concepts.numel(), generator).view_as(concepts)]
        return matching_losses.graded(self.model.match(tokens, states), matching_losses.relevance(lesson, concepts))

    def _wordings(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randint(self.queries.shape[1], (count,), generator=generator).to(self.queries.device)

    @torch.no_grad()
    def _read(self) -> tuple[Tensor, Tensor]:
        """Of all queries the normalised embeddings [C, V, E] and states [C, V, L, W], made when they are first asked for.

        By then a run that goes on has the weights it was left with.
        """
        if self._texts is None:
            with torch.autocast(self.queries.device.type, enabled=False):
                parts = [self.model.words(some) for some in self.queries.flatten(0, 1).split(TEXTS_AT_ONCE)]
            shape = self.queries.shape[:2]
            embeddings = normalize(torch.cat([e for e, _ in parts]), dim=-1)
            self._texts = embeddings.unflatten(0, shape), torch.cat([s for _, s in parts]).unflatten(0, shape)
        return self._texts
