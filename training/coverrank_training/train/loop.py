"""The training loop: the same for one process and several, for pairs from a file and covers drawn on the way."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from .. import distributed
from ..data.batch import Batch
from ..models.checkpoint import save_model
from .journal import Journal
from .objective import Objective
from .optimizers import Optimizers
from .recipe import Recipe

LOOK_AT_ALL_EVERY = 4
Evaluate = Callable[[nn.Module], dict[str, float]]


class Data(Protocol):
    def at(self, step: int, rank: int = 0, processes: int = 1) -> Batch: ...


class _Steps(Dataset):
    def __init__(self, data: Data, first: int, last: int, rank: int, processes: int):
        self.data, self.first, self.last, self.rank, self.processes = data, first, last, rank, processes

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, index: int) -> Batch:
        return self.data.at(self.first + index, self.rank, self.processes)


def _start_worker(_: int) -> None:
    """Drawing covers gives way to learning from them, and may use any core."""
    torch.set_num_threads(1)
    os.nice(5)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


class Run:
    """A run lives in a folder: `state.pt` to resume from, `checkpoint.pt` to convert, journal and curves to look at."""

    def __init__(self, objective: Objective, data: Data, recipe: Recipe, folder: Path, evaluate: Evaluate | None = None):
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.rank, self.processes = distributed.start(self.device)
        if recipe.batch % self.processes:
            raise ValueError(f"a batch of {recipe.batch} cannot be shared by {self.processes} processes")
        if self.device.type == "cuda":
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(self.device)
        self.objective = objective.to(self.device)
        for name, parameter in self.objective.model.named_parameters():
            if recipe.frozen and name.startswith(recipe.frozen):
                parameter.requires_grad_(False)
        self.data, self.recipe, self.folder, self.evaluate = data, recipe, folder, evaluate
        self.optimizers = Optimizers(self.objective, recipe)
        self.averaged = {name: p.detach().clone() for name, p in self.objective.state_dict().items()} if recipe.average else None
        self.journal = Journal(folder, quiet=self.rank > 0)
        self.step = 0
        if (folder / "state.pt").exists():
            self._resume(folder / "state.pt")

    def train(self, until: int | None = None) -> None:
        """Trains to the last step of the recipe, or to `until`, and saves."""
        last = min(until or self.recipe.steps, self.recipe.steps)
        module: nn.Module = self.objective
        if self.processes > 1:
            ids = [self.device.index] if self.device.type == "cuda" else None
            module = DistributedDataParallel(self.objective, device_ids=ids, find_unused_parameters=True)
        sums: dict[str, float] = {}
        since, began = self.step, time.monotonic()
        for batch in self._batches(last):
            terms = self._learn(module, batch.to(self.device))
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.item()
            self.step += 1
            if self.step % self.recipe.log_every == 0 or self.step == last:
                steps = self.step - since
                speed = steps * self.recipe.batch / (time.monotonic() - began)
                means = {name: total / steps for name, total in sums.items()}
                self.journal.write("train", self.step, {**means, "rate": self.optimizers.factor(self.step - 1), "per_second": speed})
                sums, since, began = {}, self.step, time.monotonic()
            # First, so that an evaluation that fails costs no step.
            if self.step % self.recipe.save_every == 0 or self.step == last:
                self.save()
            if self.evaluate is not None and (self.step % self.recipe.evaluate_every == 0 or self.step == last):
                self._evaluate()
                began = time.monotonic()

    def _batches(self, last: int) -> Iterator[Batch]:
        steps = _Steps(self.data, self.step, last, self.rank, self.processes)
        workers = self.recipe.workers
        ahead = {"prefetch_factor": 6, "worker_init_fn": _start_worker} if workers else {}
        return iter(DataLoader(steps, batch_size=None, num_workers=workers, shuffle=False, **ahead))

    def _learn(self, module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        recipe = self.recipe
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step * 64 + self.rank)
        bf16 = recipe.precision == "bf16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=bf16):
            terms = module(batch, generator, look_at_all=self.step % LOOK_AT_ALL_EVERY == 0)
        loss = sum(weight * terms[name] for name, weight in recipe.losses.items())
        loss.backward()
        nn.utils.clip_grad_norm_(self.objective.parameters(), recipe.clip)
        self.optimizers.step(self.step)
        if self.averaged is not None:
            keep = min(recipe.average, (self.step + 1) / (self.step + 20))
            for name, value in self.objective.state_dict().items():
                self.averaged[name].lerp_(value, 1 - keep)
        return terms

    def _evaluate(self) -> None:
        if self.rank == 0 and self.evaluate is not None:
            with self._averaged_weights(), torch.no_grad():
                self.objective.eval()
                self.journal.write("evaluation", self.step, self.evaluate(self.objective))
                self.objective.train()

    def save(self) -> None:
        if self.rank > 0:
            return
        state = {
            "objective": self.objective.state_dict(),
            "averaged": self.averaged,
            "optimizers": self.optimizers.state_dict(),
            "step": self.step,
        }
        torch.save(state, self.folder / "state.pt.new")
        os.replace(self.folder / "state.pt.new", self.folder / "state.pt")
        with self._averaged_weights():
            save_model(self.objective.model, self.folder / "checkpoint.pt", self.step)

    def _resume(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.objective.load_state_dict(state["objective"])
        self.averaged = state["averaged"]
        self.optimizers.load_state_dict(state["optimizers"])
        self.step = state["step"]

    def _averaged_weights(self):
        return _Swapped(self.objective, self.averaged)


class _Swapped:
    """Within it a module has other weights."""

    def __init__(self, module: nn.Module, weights: dict[str, Tensor] | None):
        self.module, self.weights = module, weights

    def __enter__(self) -> None:
        if self.weights is not None:
            self.own = {name: value.clone() for name, value in self.module.state_dict().items()}
            self.module.load_state_dict(self.weights)

    def __exit__(self, *_: object) -> None:
        if self.weights is not None:
            self.module.load_state_dict(self.own)
