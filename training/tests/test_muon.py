import pytest
import torch
from torch import nn

from coverrank_training.train.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(12, 5), (5, 12), (6, 6)])
def test_an_update_turns_and_hardly_stretches(shape: tuple[int, int]):
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    made = orthogonal(matrix)
    assert made.shape == matrix.shape
    lengths = torch.linalg.svdvals(made)
    assert 0.6 < lengths.min() <= lengths.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert (made * (left @ right)).sum() / made.norm() / (left @ right).norm() > 0.97


def test_steps_are_those_of_pytorch_in_fp32():
    torch.manual_seed(1)
    start, gradients = torch.randn(8, 6), torch.randn(5, 8, 6)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizers = (
        (ours, Muon([ours], lr=0.01, weight_decay=0.1)),
        (theirs, torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")),
    )
    for gradient in gradients:
        for parameter, optimizer in optimizers:
            parameter.grad = gradient.clone()
            optimizer.step()
    moved = (theirs - start).abs().max()
    assert (ours - theirs).abs().max() < 0.03 * moved
