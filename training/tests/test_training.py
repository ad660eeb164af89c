import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from coverrank_training.models.checkpoint import load_model
from coverrank_training.train.assemble import Sources, assemble
from coverrank_training.train.journal import curves
from coverrank_training.train.recipe import Recipe, read_recipe

from .conftest import SIZES

LOSSES = {"contrastive": 0.8, "presence": 0.1, "semantic": 0.1}
QUIET = {"workers": 0, "log_every": 1000, "evaluate_every": 1000, "save_every": 1000, "precision": "fp32"}


def make_recipe(**changes) -> Recipe:
    settings = {
        "losses": LOSSES,
        "steps": 6,
        "batch": 8,
        "model": SIZES,
        "length": 6,
        "pair_length": 5,
        "learning_rate": 2e-3,
        "warm_up": 1,
    }
    return Recipe(**{**settings, **QUIET, **changes})


def sources(covers: Path, vocabulary: Path) -> Sources:
    return Sources(vocabulary, data=covers / "covers.tsv", validation=covers / "covers.tsv", pictures=covers)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "state.pt", weights_only=True)["objective"]


def largest_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max((one[name] - other[name]).abs().max().item() for name in one)


def test_a_handful_of_pairs_is_learned_by_heart(covers: Path, vocabulary: Path, tmp_path: Path):
    recipe = make_recipe(steps=150, optimizer="muon", learning_rate=4e-3, muon_learning_rate=5e-3, losses=dict.fromkeys(LOSSES, 1.0))
    run = assemble(recipe, sources(covers, vocabulary), tmp_path / "run")
    before = run.evaluate(run.objective)
    run.train()
    entries = run.journal.entries()
    assert before["R@1"] < 0.6
    assert entries[-1] == {"kind": "evaluation", "step": 150, "R@1": 1.0, "R@5": 1.0, "R@10": 1.0}
    right = []
    for step in range(140, 150):
        batch = run.data.at(step)
        with torch.no_grad():
            _, tokens = run.objective.model.image(batch.pixels())
            assert torch.equal(run.objective.model.presence(tokens).argmax(-1).bool(), batch.has_text)
            right.append(run.objective.model.semantic(tokens, batch.pair_ids).argmax(-1) == batch.pair_labels)
    assert torch.cat(right).float().mean() >= 0.85


def test_going_on_after_a_stop_gives_what_a_straight_run_gives(covers: Path, vocabulary: Path, tmp_path: Path):
    recipe = make_recipe(average=0.9, optimizer="muon")
    assemble(recipe, sources(covers, vocabulary), tmp_path / "straight").train()
    assemble(recipe, sources(covers, vocabulary), tmp_path / "stopped").train(until=3)
    resumed = assemble(recipe, sources(covers, vocabulary), tmp_path / "stopped")
    assert resumed.step == 3
    resumed.train()
    straight, stopped = weights(tmp_path / "straight"), weights(tmp_path / "stopped")
    assert largest_difference(straight, stopped) == 0
    averaged = [torch.load(tmp_path / name / "state.pt", weights_only=True)["averaged"] for name in ("straight", "stopped")]
    assert largest_difference(*averaged) == 0


def test_two_processes_learn_what_one_does_from_the_same_batches(covers: Path, vocabulary: Path, tmp_path: Path):
    recipe_file = tmp_path / "recipe.toml"
    sizes = "\n".join(f"{name} = {value}" for name, value in SIZES.items())
    terms = "\n".join(f"{name} = {value}" for name, value in LOSSES.items())
    settings = 'steps = 4\nbatch = 8\nlength = 6\npair_length = 5\nlearning_rate = 2e-3\nprecision = "fp32"\nworkers = 0\n'
    recipe_file.write_text(f"{settings}[model]\n{sizes}\n[losses]\n{terms}\n", encoding="utf-8")
    arguments = [
        "train", recipe_file, "--vocab", vocabulary, "--data", covers / "covers.tsv", "--pictures", covers, "--out",
    ]  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}", "-m", "coverrank_training"]
    root = Path(__file__).parents[1]
    command = [sys.executable, *launcher, *map(str, arguments), str(tmp_path / "two")]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=180, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    assemble(read_recipe(recipe_file), sources(covers, vocabulary), tmp_path / "one").train()
    assert largest_difference(weights(tmp_path / "one"), weights(tmp_path / "two")) < 2e-5


def test_frozen_parameters_stay(covers: Path, vocabulary: Path, tmp_path: Path):
    run = assemble(make_recipe(frozen=("visual.",), steps=2), sources(covers, vocabulary), tmp_path / "run")
    before = {name: p.clone() for name, p in run.objective.model.named_parameters()}
    run.train()
    changed = {name.split(".")[0] for name, p in run.objective.model.named_parameters() if not torch.equal(p, before[name])}
    assert "visual" not in changed
    assert {"bert", "ocr_presence_decoder", "ocr_semantic_decoder"} <= changed


def test_the_rate_warms_up_stays_and_falls(covers: Path, vocabulary: Path, tmp_path: Path):
    run = assemble(make_recipe(steps=100, warm_up=10, decay=0.5), sources(covers, vocabulary), tmp_path / "run")
    assert [round(run.optimizers.factor(step), 3) for step in (0, 9, 49, 75, 99)] == [0.1, 1.0, 1.0, 0.5, 0.02]


def test_unknown_settings_are_refused(tmp_path: Path):
    (tmp_path / "r.toml").write_text("steps = 1\nbatch = 1\nstepz = 2\n[losses]\n", encoding="utf-8")
    with pytest.raises(ValueError, match="stepz"):
        read_recipe(tmp_path / "r.toml")
    with pytest.raises(ValueError, match="adamw or muon"):
        make_recipe(optimizer="sgd")


def test_matching_wants_one_length_for_all_texts(covers: Path, vocabulary: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="pair_length"):
        assemble(make_recipe(losses={"matching": 1.0}, length=6, pair_length=5), sources(covers, vocabulary), tmp_path / "run")


def test_curves_show_every_series():
    picture = curves(
        [{"kind": "train", "step": 1, "a": 2.0}, {"kind": "train", "step": 2, "a": 1.0}, {"kind": "evaluation", "step": 2, "b": 0.5}]
    )
    assert picture.count("<polyline") == 2
    assert "a 1 (top 2)" in picture


def test_a_checkpoint_gains_the_heads_that_a_recipe_asks_for(covers: Path, vocabulary: Path, tmp_path: Path):
    plain = {**SIZES, "semantic_layers": 0, "matching_layers": 0}
    assemble(make_recipe(steps=1, model=plain, losses={"contrastive": 1.0}), sources(covers, vocabulary), tmp_path / "plain").train()
    richer = make_recipe(steps=2, model={"matching_layers": 1}, losses={"contrastive": 1.0, "matching": 1.0}, pair_length=6)
    run = assemble(richer, replace(sources(covers, vocabulary), checkpoint=tmp_path / "plain" / "checkpoint.pt"), tmp_path / "richer")
    sizes = run.objective.model.sizes
    assert (sizes.matching_layers, sizes.semantic_layers, sizes.presence_layers, sizes.text_inner) == (1, 0, 1, SIZES["text_inner"])
    run.train()
    assert load_model(tmp_path / "richer" / "checkpoint.pt").sizes == sizes
