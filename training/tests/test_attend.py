import pytest
import torch
import torch.nn.functional as F

from coverrank_training.models.attend import attend


def _parts(dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, 3, 5, 8, generator=generator, dtype=dtype).requires_grad_() for _ in range(3)]


@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients_are_those_of_the_fused_kernel(masked: bool) -> None:
    mask = torch.arange(5)[None, None, None] < torch.tensor([3, 5])[:, None, None, None] if masked else None
    ours, fused = _parts(), _parts()
    result, expected = attend(*ours, mask), F.scaled_dot_product_attention(*fused, attn_mask=mask)
    torch.testing.assert_close(result, expected)
    result.square().sum().backward()
    expected.square().sum().backward()
    for one, other in zip(ours, fused, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_without_gradients_it_is_the_same() -> None:
    parts = _parts()
    with torch.no_grad():
        alone = attend(*parts)
    torch.testing.assert_close(alone, attend(*parts).detach())
