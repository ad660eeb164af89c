import math

import pytest
import torch
from torch import tensor

from coverrank_training.losses import r2d2, uniclip


def test_contrastive_of_two_pairs_is_what_paper_and_pencil_give():
    image = tensor([[1.0, 0.0], [0.0, 2.0]])  # lengths do not matter
    text = tensor([[3.0, 0.0], [1.0, 1.0]])
    near = 1 / math.sqrt(2)
    rows = [math.log(1 + math.exp(2 * (near - 1))), math.log(1 + math.exp(2 * (0 - near)))]
    columns = [math.log(1 + math.exp(2 * (0 - 1))), math.log(1 + math.exp(0))]
    expected = (sum(rows) / 2 + sum(columns) / 2) / 2
    assert uniclip.contrastive(image, text, tensor(2.0)).item() == pytest.approx(expected, abs=1e-6)


def test_presence_is_the_cross_entropy_of_its_two_classes():
    logits = tensor([[0.0, 1.0], [2.0, 0.0]])
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2))) / 2
    assert uniclip.presence(logits, tensor([True, True])).item() == pytest.approx(expected, abs=1e-6)


def test_semantic_leaves_out_pairs_that_do_not_count():
    logits = tensor([[[0.0, 1.0], [9.0, -9.0]], [[3.0, 0.0], [0.0, 0.0]]])
    labels = tensor([[1, -1], [0, -1]])
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-3))) / 2
    assert uniclip.semantic(logits, labels).item() == pytest.approx(expected, abs=1e-6)
    assert uniclip.semantic(logits, torch.full((2, 2), -1)).item() == 0


def test_uniclip_weights_are_the_papers():
    assert uniclip.WEIGHTS == {"contrastive": 0.8, "presence": 0.1, "semantic": 0.1}


def test_pre_ranking_divides_by_a_temperature_within_bounds():
    pair = torch.eye(2)
    at = {t: r2d2.pre_ranking(pair, pair, tensor(t)).item() for t in (0.1, 0.5, 7.0)}
    assert at[0.1] == pytest.approx(math.log(1 + math.exp(-10)), abs=1e-6)
    assert at[0.5] == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)
    assert at[7.0] == at[0.5]


def test_hard_negatives_are_drawn_by_likeness_and_never_a_right_pair():
    similarity = tensor([[5.0, 4.0, -9.0], [0.0, 5.0, 0.0], [5.0, 5.0, 5.0]])
    same = torch.eye(3, dtype=torch.bool)
    same[2, 0] = same[0, 2] = True
    generator = torch.Generator().manual_seed(3)
    drawn = [r2d2.hard_negatives(similarity, same, generator) for _ in range(200)]
    texts, images = (torch.stack([d[side] for d in drawn]) for side in (0, 1))
    assert (texts[:, 0] == 1).all()
    assert (texts[:, 2] == 1).all()
    assert set(texts[:, 1].tolist()) == {0, 2}
    assert (images[:, 0] == 1).all()
    assert set(images[:, 1].tolist()) == {0, 2}
    assert (images[:, 1] == 2).float().mean() > 0.6  # exp(5) against exp(4)


def test_hard_negatives_exist_even_where_all_texts_are_the_same():
    texts, images = r2d2.hard_negatives(torch.zeros(2, 2), torch.ones(2, 2, dtype=torch.bool))
    assert len(texts) == len(images) == 2


def test_matching_is_the_mean_over_both_stacks():
    by_text, by_image = tensor([[0.0, 1.0], [1.0, 0.0]]), tensor([[0.0, 3.0], [0.0, 0.0]])
    expected = (math.log(1 + math.exp(-1)) + (math.log(1 + math.exp(-3)) + math.log(2)) / 2) / 2
    assert r2d2.matching(by_text, by_image, tensor([1, 0])).item() == pytest.approx(expected, abs=1e-6)
