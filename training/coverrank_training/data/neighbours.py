"""Texts that share the most telling pairs of characters: the hard negatives of UniCLIP's semantic head."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

COUNT = 10
COMMON = 2000
"""pairs of characters that more texts have tell little, and would make look-ups slow"""


def _pairs(text: str) -> set[str]:
    text = "".join(text.lower().split())
    return {text[i : i + 2] for i in range(len(text) - 1)} | ({text} if len(text) == 1 else set())


class Neighbours:
    def __init__(self, texts: Sequence[str]):
        self._pairs = [_pairs(text) for text in texts]
        postings: defaultdict[str, list[int]] = defaultdict(list)
        for index, pairs in enumerate(self._pairs):
            for pair in pairs:
                postings[pair].append(index)
        self._postings = {pair: rows for pair, rows in postings.items() if len(rows) <= COMMON}
        self._total = len(texts)

    def of(self, index: int, count: int = COUNT) -> list[int]:
        """The indices of up to `count` other texts, nearest first; ties in order of index."""
        scores: Counter[int] = Counter()
        for pair in self._pairs[index]:
            rows = self._postings.get(pair, ())
            weight = math.log(1 + self._total / max(1, len(rows)))
            for other in rows:
                scores[other] += weight
        scores.pop(index, None)
        return sorted(scores, key=lambda other: (-scores[other], other))[:count]
