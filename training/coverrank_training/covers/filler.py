"""Words around a name that mean nothing: whoever learns from a few templates alone takes any other word for a name."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

MODIFIER_SHARE = 0.15
"""of English templates have another thing's name before the name: of two nouns the last is meant"""
ATTEMPTS = 4


@dataclass(frozen=True)
class Filler:
    chinese: Sequence[str]
    """characters"""
    english: Sequence[str]
    """words"""
    names: Sequence[str]
    """those of all concepts, in both languages"""

    def template(self, name: str, language: str, rng: random.Random) -> str:
        """Something with `{}` in the place of the name. Never makes another thing's name with it, as 热 makes 热狗 of 狗."""
        if language == "en" and rng.random() < MODIFIER_SHARE:
            return rng.choice([other for other in self.names if other.isascii()]) + " {}"
        for _ in range(ATTEMPTS):
            template = self._draw(language, rng)
            text = template.format(name)
            if not any(other in text and other not in name for other in self.names):
                return template
        return "{}"

    def _draw(self, language: str, rng: random.Random) -> str:
        before, after = rng.choice(((0, 1), (1, 0), (0, 2), (2, 0), (1, 1), (0, 3), (3, 0)))
        words, between, most = (self.chinese, "", 3) if language == "zh" else (self.english, " ", 2)
        if not words:
            return "{}"
        return between.join([*rng.choices(words, k=min(before, most)), "{}", *rng.choices(words, k=min(after, most))])


def invented_words(count: int, seed: int = 1) -> list[str]:
    """What looks like English and says nothing."""
    rng = random.Random(seed)
    syllables = [first + vowel + last for first in "bcdfghklmnprstvw" for vowel in "aeiou" for last in ("", "", "n", "r", "s", "t", "l")]
    return ["".join(rng.choices(syllables, k=rng.choice((1, 2, 2)))) for _ in range(count)]
