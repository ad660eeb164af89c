"""What a run is made of; read from a TOML file, so that a run can be repeated."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recipe:
    losses: dict[str, float]
    """weight of each term; a term that is missing is not computed. See losses/."""
    steps: int
    batch: int
    """covers a step, over all processes"""
    model: dict[str, int] = field(default_factory=dict)
    """sizes of a new UniCLIP; with a checkpoint those that shall differ from its own, such as layers of heads that it lacks"""
    synthetic: bool = False
    """covers are drawn as they are needed, in place of a file of them"""
    reuse: int = 1
    """how often a synthetic cover is seen"""
    covers_before: int = 0
    """synthetic covers that earlier runs saw, for the curriculum"""
    restyled: float = 0.0
    """share of a synthetic cover's icons that are drawn in other ways than their sets do"""
    second_look: bool = False
    """only the matching head and an image tower of its own learn, from synthetic covers; all else stays as it is"""
    pairs: int = 0
    """texts held against what is drawn on each synthetic cover"""
    matched: int = 4
    """queries, all for other concepts, that the matching head holds against each synthetic cover; 2 at least"""
    kept_patches: int = 0
    """when not 0, three of four steps look only at so many patches of a synthetic cover, the busiest first"""
    heads_every: int = 1
    """the OCR heads see one of n covers of a batch; the semantic head those with a title first"""
    length: int = 12
    pair_length: int = 12
    optimizer: str = "adamw"
    """adamw, or muon for the matrices of the blocks and AdamW for the rest"""
    learning_rate: float = 1e-5
    muon_learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warm_up: int = 50
    """steps"""
    decay: float = 0.3
    """the share of steps, at the end, over which the learning rate falls to nothing"""
    clip: float = 2.0
    average: float = 0.0
    """decay of the running mean of the weights that is evaluated and saved; 0: the weights themselves"""
    frozen: tuple[str, ...] = ()
    """beginnings of the names of parameters that stay as they are"""
    precision: str = "bf16"
    seed: int = 1
    log_every: int = 50
    evaluate_every: int = 500
    save_every: int = 500
    workers: int = 1

    def __post_init__(self) -> None:
        if self.optimizer not in ("adamw", "muon"):
            raise ValueError(f"optimizer is adamw or muon, not {self.optimizer}")
        if self.precision not in ("bf16", "fp32"):
            raise ValueError(f"precision is bf16 or fp32, not {self.precision}")
        if self.steps < 1 or self.batch < 1:
            raise ValueError("steps and batch are positive")
        if self.second_look and (not self.synthetic or self.length != self.pair_length):
            raise ValueError("second_look is for synthetic covers, with one length for all texts")
        if self.matched < 2:
            raise ValueError("matched is 2 at least: a query that matches and one that does not")


def read_recipe(path: Path, **changes: Any) -> Recipe:
    """The file's recipe with those `changes` that are not None. An unknown setting is an error."""
    settings = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {f.name for f in fields(Recipe)}
    if unknown := sorted(set(settings) - known):
        raise ValueError(f"{path} has unknown settings: {', '.join(unknown)}")
    settings.update({name: value for name, value in changes.items() if value is not None})
    settings["frozen"] = tuple(settings.get("frozen", ()))
    return Recipe(**settings)
