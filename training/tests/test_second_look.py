from dataclasses import replace
from pathlib import Path

import pytest
import torch

from coverrank_training.covers.compose import Composer
from coverrank_training.data.synthetic import SyntheticData
from coverrank_training.losses.teaching import Teacher
from coverrank_training.models.checkpoint import save_model
from coverrank_training.models.uniclip import Uniclip
from coverrank_training.train import assemble
from coverrank_training.train.objective import Objective
from coverrank_training.train.recipe import Recipe

from .conftest import CONCEPTS


def test_a_second_look_learns_with_its_own_parts_alone_and_goes_on_where_it_stopped(
    composer: Composer, vocabulary: Path, model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(assemble, "open_composer", lambda _: composer)
    monkeypatch.setattr(assemble, "COVERS", 12)
    save_model(model, tmp_path / "first.pt", step=1)
    recipe = Recipe(
        losses={"concept": 1.0, "objects": 1.0, "matching": 1.0}, steps=24, batch=6, synthetic=True, second_look=True, length=6,
        pair_length=6, kept_patches=3, model={"matching_vision_layers": 2}, learning_rate=5e-3, warm_up=1, decay=0.1, average=0.5,
        precision="fp32", workers=0, evaluate_every=24, log_every=4,
    )  # fmt: skip
    sources = assemble.Sources(vocabulary, tmp_path / "first.pt", artwork=tmp_path)
    straight = assemble.assemble(recipe, sources, tmp_path / "straight")
    before = {name: value.clone() for name, value in straight.objective.model.state_dict().items()}
    assert torch.equal(before["itm_visual.conv1.weight"], before["visual.conv1.weight"])
    straight.train()
    after = straight.objective.model.state_dict()
    moved = {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {"itm_visual", "itm_scale", "itm_decoder", "ln_itm", "proj_itm"}
    learned = [entry for entry in straight.journal.entries() if entry["kind"] == "train"]
    assert learned[-1]["matching"] < 0.5 * learned[0]["matching"]
    assert "gained where fitted" in straight.journal.entries()[-1]

    assemble.assemble(recipe, sources, tmp_path / "stopped").train(until=10)
    assemble.assemble(recipe, sources, tmp_path / "stopped").train()
    states = [torch.load(tmp_path / name / "state.pt", weights_only=True)["objective"] for name in ("straight", "stopped")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"losses": {"contrastive": 1.0}}, "contrastive"),
        ({"model": {}}, "matching_vision_layers"),
        ({"pair_length": 5}, "one length"),
        ({"synthetic": False}, "synthetic"),
    ],
)
def test_a_second_look_says_what_it_lacks(changes, message, composer, vocabulary: Path, model, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(assemble, "open_composer", lambda _: composer)
    save_model(model, tmp_path / "first.pt", step=1)
    settings = {"losses": {"concept": 1.0}, "steps": 1, "batch": 6, "synthetic": True, "second_look": True, "length": 6, "pair_length": 6}
    settings |= {"model": {"matching_vision_layers": 2}}
    sources = assemble.Sources(vocabulary, tmp_path / "first.pt", artwork=tmp_path)
    with pytest.raises(ValueError, match=message):
        assemble.assemble(Recipe(**{**settings, **changes}), sources, tmp_path / "run")


@pytest.mark.parametrize("synthetic", [True, False])
def test_other_runs_teach_a_matching_head_by_what_it_looks_at(composer: Composer, tokenizer, model, synthetic: bool):
    model = Uniclip(replace(model.sizes, matching_vision_layers=1))
    data = SyntheticData(composer, tokenizer, side=32, patch=16, length=6, pair_length=6, pairs=3, batch=6, seed=2)
    batch = data.at(0) if synthetic else replace(data.at(0), lesson=None)
    teacher = Teacher(64, 32, CONCEPTS, len(composer.alphabet), 1)
    recipe = Recipe(losses={"matching": 1.0}, steps=1, batch=6, pairs=3)
    Objective(model, teacher, recipe, data.query_bank())(batch, torch.Generator().manual_seed(1))["matching"].backward()
    assert model.itm_visual.conv1.weight.grad.abs().sum() > 0
