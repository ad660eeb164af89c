"""Retrieval over the covers of a CBVS file: each title has to find its own picture among the first covers."""

import torch
from torch.nn.functional import normalize

from ..data.batch import MEAN, STD
from ..data.cbvs import CbvsData, Row, read_picture
from ..models.r2d2 import R2d2
from ..models.uniclip import Uniclip

MOST = 1000


@torch.no_grad()
def evaluate_pairs(model: Uniclip | R2d2, data: CbvsData, rows: list[Row], device: torch.device) -> dict[str, float]:
    """Recall of text to picture over up to 1,000 covers; equal titles all count as right."""
    rows = rows[:MOST]
    images, texts = [], []
    for start in range(0, len(rows), 50):
        part = rows[start : start + 50]
        pictures = torch.stack([torch.from_numpy(read_picture(data.pictures / row.picture, data.side)) for row in part])
        pixels = (pictures.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD
        images.append(model.image(pixels.to(device))[0])
        texts.append(model.text(torch.tensor([data.tokenizer.encode(row.title, data.length) for row in part], device=device)))
    similarity = normalize(torch.cat(texts).float(), dim=-1) @ normalize(torch.cat(images).float(), dim=-1).T
    titles = [row.title for row in rows]
    right = torch.tensor([[a == b for b in titles] for a in titles], device=device)
    best = similarity.masked_fill(~right, -2).max(1).values
    ranks = (similarity > best[:, None]).sum(1)
    return {f"R@{k}": (ranks < k).float().mean().item() for k in (1, 5, 10)}
