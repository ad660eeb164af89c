"""BERT's tokenizer with a fixed length: [CLS] … [SEP], cut to it, padded with 0."""

from pathlib import Path

from tokenizers import BertWordPieceTokenizer


class Tokenizer:
    def __init__(self, vocabulary: Path):
        self._tokenizer = BertWordPieceTokenizer(str(vocabulary), lowercase=True, strip_accents=True)
        self.size: int = self._tokenizer.get_vocab_size()
        self._separator: int = self._tokenizer.token_to_id("[SEP]")

    def words(self) -> tuple[list[str], list[str]]:
        """Chinese characters and Latin words that have a piece of their own, in order."""
        pieces = sorted(self._tokenizer.get_vocab(), key=self._tokenizer.token_to_id)
        chinese = [piece for piece in pieces if len(piece) == 1 and "\u4e00" <= piece <= "\u9fff"]
        return chinese, [piece for piece in pieces if len(piece) > 2 and piece.isascii() and piece.isalpha()]

    def encode(self, text: str, length: int) -> list[int]:
        ids = self._tokenizer.encode(text).ids
        if len(ids) > length:
            ids = [*ids[: length - 1], self._separator]
        return ids + [0] * (length - len(ids))
