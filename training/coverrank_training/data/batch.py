"""What a training step needs, whatever it was made from."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from ..losses.teaching import Lesson

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)


@dataclass(frozen=True)
class Batch:
    pictures: Tensor
    """[B, S, S, 3] uint8"""
    text_ids: Tensor
    """[B, L]: the text that each picture goes with"""
    has_text: Tensor
    """[B]: whether text is drawn"""
    pair_ids: Tensor
    """[B, Q, L']: texts to hold against what is drawn"""
    pair_labels: Tensor
    """[B, Q]: 1 the text means it, 0 it does not, -1 does not count"""
    lesson: Lesson | None = None

    def pixels(self) -> Tensor:
        """[B, 3, S, S], normalised as CLIP's"""
        pictures = self.pictures.permute(0, 3, 1, 2).float() / 255
        return (pictures - MEAN.to(pictures.device)) / STD.to(pictures.device)

    def to(self, device: torch.device) -> "Batch":
        moved = {f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name != "lesson"}
        lesson = self.lesson
        if lesson is not None:
            lesson = replace(lesson, **{f.name: getattr(lesson, f.name).to(device) for f in fields(lesson)})
        return Batch(**moved, lesson=lesson)
