"""AdamW, or Muon for the matrices inside the blocks: from scratch that learns from several times fewer covers."""

import re

import torch
from torch import nn

from .muon import Muon
from .recipe import Recipe

_MATRICES = re.compile(r"(resblocks|encoder\.layers?)\.\d+\.")


class Optimizers:
    """One or two optimizers that step together, with a learning rate that warms up, stays, and falls to nothing."""

    def __init__(self, module: nn.Module, recipe: Recipe):
        self.recipe = recipe
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        by_muon = recipe.optimizer == "muon"
        matrices = [p for name, p in named if by_muon and p.ndim == 2 and _MATRICES.search(name)]
        chosen = {id(p) for p in matrices}
        decayed = [p for name, p in named if id(p) not in chosen and p.ndim >= 2 and "embedding" not in name]
        decayed_ids = {id(p) for p in decayed}
        rest = [p for _, p in named if id(p) not in chosen and id(p) not in decayed_ids]
        groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW([g for g in groups if g["params"]], lr=recipe.learning_rate, betas=(0.9, 0.98))
        ]
        if matrices:
            self.all.append(Muon(matrices, recipe.muon_learning_rate, recipe.weight_decay))
        self._rates = [recipe.learning_rate, recipe.muon_learning_rate]

    def factor(self, step: int) -> float:
        """Of the learning rate, at `step` counted from 0."""
        recipe = self.recipe
        falling = max(1.0, recipe.decay * recipe.steps)
        return min(1.0, (step + 1) / max(1, recipe.warm_up), (recipe.steps - step) / falling)

    def step(self, step: int) -> None:
        for optimizer, rate in zip(self.all, self._rates, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = rate * self.factor(step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        return [optimizer.state_dict() for optimizer in self.all]

    def load_state_dict(self, states: list[dict]) -> None:
        for optimizer, state in zip(self.all, states, strict=True):
            optimizer.load_state_dict(state)
