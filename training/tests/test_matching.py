import math

import pytest
import torch
from torch import tensor

from coverrank_training.losses.matching import graded, hard_concepts, relevance
from coverrank_training.losses.teaching import SMALL_SHARE, Lesson, embedding_shares

NOTHING = torch.zeros(3, 1)
LESSON = Lesson(
    main=tensor([4, 4, -1]),
    titled=tensor([4, 7, 7]),
    small=tensor([[2, -1], [-1, -1], [-1, -1]]),
    objects=NOTHING,
    words=NOTHING,
    characters=NOTHING,
    asked=tensor([4, 4, 7]),
)


def test_relevance_is_a_share_of_the_gain():
    shares = relevance(LESSON, tensor([[4, 2, 7], [4, 2, 7], [4, 2, 7]]))
    assert shares.tolist() == [[1, pytest.approx(1 / 3), 0], [1, 0, pytest.approx(1 / 3)], [0, 0, pytest.approx(1 / 3)]]


def test_an_embedding_is_about_the_object_less_about_the_title_and_of_a_title_alone_about_that():
    shares = embedding_shares(LESSON, 10)
    assert shares.sum(1).tolist() == pytest.approx([1, 1, 1])
    assert (shares[0, 2] / shares[0, 4]).item() == pytest.approx(SMALL_SHARE)
    assert (shares[1, 7] / shares[1, 4]).item() == pytest.approx(1 / 3)
    assert shares[2].nonzero().flatten().tolist() == [7]


def test_a_cover_meets_what_it_is_asked_for_what_it_also_shows_and_what_comes_near():
    logits = torch.zeros(3, 10)
    logits[:, 9] = 50.0
    chosen = hard_concepts(LESSON, logits, 3, torch.Generator().manual_seed(0))
    assert chosen[:, 0].tolist() == [4, 4, 7]
    assert chosen[:, 1].tolist() == [9, 9, 9]
    assert chosen[:2, 2].tolist() == [2, 7]
    many = torch.cat([hard_concepts(LESSON, logits, 6, torch.Generator().manual_seed(seed)) for seed in range(20)])
    assert (many[:, 1:] == many[:, :1]).sum() == 0
    assert (many == 9).any(1).all()


def test_graded_is_the_cross_entropy_with_the_share():
    logits = tensor([[[0.0, 0.0], [0.0, 2.0]]])
    yes = 1 / (1 + math.exp(-2))
    expected = (math.log(2) - (math.log(yes) / 3 + math.log(1 - yes) * 2 / 3)) / 2
    assert graded(logits, tensor([[1.0, 1 / 3]])).item() == pytest.approx(expected, abs=1e-6)
