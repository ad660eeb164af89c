"""The everyday things that synthetic covers show, with their names in Chinese and English."""

from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Concept:
    """Names are ordered: the first is the usual one, the others mean the same."""

    code_points: tuple[str, ...]
    zh: tuple[str, ...]
    en: tuple[str, ...]

    def names(self, language: str) -> tuple[str, ...]:
        return self.zh if language == "zh" else self.en

    @property
    def all_names(self) -> tuple[str, ...]:
        return self.zh + self.en


def concepts_file():
    return files(__package__) / "concepts.tsv"


def load_concepts(limit: int | None = None) -> list[Concept]:
    lines = concepts_file().read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [Concept(tuple(a.split()), tuple(b.split("|")), tuple(c.split("|"))) for a, b, c in rows[:limit]]
