import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from coverrank_training.data.cbvs import CbvsData, Row, read_picture, read_rows, write_rows
from coverrank_training.data.neighbours import Neighbours
from coverrank_training.data.tokenizer import Tokenizer


def make_data(folder: Path, tokenizer: Tokenizer, batch: int = 4) -> CbvsData:
    rows = read_rows(folder / "covers.tsv")
    return CbvsData(rows, folder, tokenizer, side=32, length=6, pair_length=5, batch=batch, seed=7)


def test_rows_come_back_as_written(tmp_path: Path):
    rows = [Row("红烧肉", "a.jpg", "好吃"), Row("b", "b.jpg", None)]
    write_rows(tmp_path / "x.tsv", rows)
    assert (tmp_path / "x.tsv").read_text(encoding="utf-8") == "红烧肉\ta.jpg\t好吃\nb\tb.jpg\t\\N\n"
    assert read_rows(tmp_path / "x.tsv") == rows


def test_a_line_without_three_fields_is_named(tmp_path: Path):
    (tmp_path / "x.tsv").write_text("a\tb\tc\na\tb\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"x\.tsv:2"):
        read_rows(tmp_path / "x.tsv")


def test_a_tab_in_a_field_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="tab"):
        write_rows(tmp_path / "x.tsv", [Row("a\tb", "a.jpg", None)])


def test_a_picture_is_turned_as_its_camera_says_and_an_unreadable_one_is_an_error(tmp_path: Path):
    picture = Image.fromarray(np.repeat([[[255, 0, 0]], [[0, 0, 255]]], 2, axis=1).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 3
    picture.save(tmp_path / "turned.png", exif=exif)
    assert read_picture(tmp_path / "turned.png", 2)[0, 0].tolist() == [0, 0, 255]
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(OSError, match="cannot identify"):
        read_picture(tmp_path / "broken.jpg", 2)


def test_an_epoch_shows_every_cover_once_and_a_step_is_always_the_same(covers: Path, tokenizer: Tokenizer):
    data = make_data(covers, tokenizer)
    seen = torch.cat([data.at(step).text_ids for step in (0, 1)])
    assert len(set(seen[:, 1].tolist())) == 8
    again = make_data(covers, tokenizer).at(1)
    assert torch.equal(again.pictures, data.at(1).pictures)
    assert torch.equal(again.pair_ids, data.at(1).pair_ids)


def test_processes_share_a_batch_in_order(covers: Path, tokenizer: Tokenizer):
    data = make_data(covers, tokenizer)
    shares = [data.at(3, rank, 2) for rank in (0, 1)]
    assert torch.equal(torch.cat([s.pictures for s in shares]), data.at(3).pictures)


def test_a_text_is_its_own_or_a_neighbours_in_the_papers_shares(tmp_path: Path, covers: Path, tokenizer: Tokenizer):
    data = make_data(covers, tokenizer)
    drawn = [data._pair(1, random.Random(n)) for n in range(1000)]
    assert {text for text, label in drawn if label} == {data.rows[1].drawn}
    assert data.rows[1].drawn not in {text for text, label in drawn if not label}
    assert 0.65 < sum(label for _, label in drawn) / 1000 < 0.75
    assert data._pair(0, random.Random(1))[1] == 0  # no text is drawn: no text is right


def test_neighbours_share_telling_characters():
    near = Neighbours(["红烧肉的做法", "猫咪视频", "红烧肉教程", "红烧鱼的做法", ""])
    assert near.of(0) == [3, 2]
    assert near.of(4) == []
    assert Neighbours(["ab cd", "ABcd", "xy"]).of(0) == [1]


def test_texts_are_cut_to_their_length_and_padded(tokenizer: Tokenizer):
    ids = tokenizer.encode("猫狗鱼鸟车船", 5)
    assert len(ids) == 5
    assert (ids[0], ids[-1]) == (2, 3)
    assert tokenizer.encode("猫", 5)[3:] == [0, 0]
