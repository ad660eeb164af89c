"""One process or several: torchrun starts them, this says who is who."""

import os
from contextlib import suppress

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def start(device: torch.device) -> tuple[int, int]:
    """(rank, processes); joins the group when torchrun started this process."""
    if "RANK" not in os.environ:
        return 0, 1
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return dist.get_rank(), dist.get_world_size()


def stop() -> None:
    with suppress(RuntimeError, AssertionError, ValueError):
        dist.destroy_process_group()


def gather(rows: Tensor) -> Tensor:
    """The rows of all processes, in order of rank; gradients flow back to where rows came from."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return rows
    return torch.cat(all_gather(rows.contiguous()))
