import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from coverrank_training.covers.artwork import SPLITS
from coverrank_training.covers.collection import draw_collection
from coverrank_training.covers.compose import Composer, CoverStyle
from coverrank_training.covers.concepts import load_concepts
from coverrank_training.covers.filler import Filler
from coverrank_training.covers.phrases import QUERIES, TITLES
from coverrank_training.covers.restyle import has_one_colour, restyle
from coverrank_training.covers.titles import _chinese_lines, _english_lines
from coverrank_training.data import synthetic
from coverrank_training.data.synthetic import SyntheticData, character_map, region_maps
from coverrank_training.evaluate.fusion import Candidates, find_candidates, fit_weights, gain
from coverrank_training.evaluate.gates import make_exam, mean_figure, sit_exam
from coverrank_training.losses.teaching import Teacher
from coverrank_training.models.uniclip import Uniclip
from coverrank_training.train.objective import Objective
from coverrank_training.train.recipe import Recipe

from .conftest import CONCEPTS


def draw(composer: Composer, seed: int, split: str = "train", **style):
    return composer.cover(seed % CONCEPTS, split, CoverStyle(**style), random.Random(seed), np.random.default_rng(seed))


def test_concepts_have_names_that_nobody_else_has():
    concepts = load_concepts()
    assert len(concepts) >= 300
    for language in ("zh", "en"):
        names = [name for concept in concepts for name in concept.names(language)]
        assert len(names) == len(set(names))
        assert all(names)
    assert max(len(c.zh[0]) for c in concepts) <= 4


def test_sets_and_templates_of_the_splits_do_not_overlap():
    sets = [set(names) for names in SPLITS.values()]
    assert sum(map(len, sets)) == len(set.union(*sets))
    for phrases in (TITLES, QUERIES):
        for by_split in phrases.values():
            templates = [set(by_split[split]) - {"{}"} for split in ("train", "validation", "test")]
            assert sum(map(len, templates)) == len(set.union(*templates))


def test_the_same_seed_draws_the_same_cover(composer: Composer):
    one, other, third = draw(composer, 3), draw(composer, 3), draw(composer, 4)
    assert np.array_equal(one.pixels, other.pixels)
    assert one.pixels.shape == (112, 112, 3)
    assert not np.array_equal(one.pixels, third.pixels)


def test_a_split_uses_its_own_artwork_alone(composer: Composer):
    assert {draw(composer, seed, "test").art for seed in range(20)} == {"twemoji"}
    assert {draw(composer, seed).art for seed in range(60)} <= set(SPLITS["train"])


def test_grades_follow_from_what_was_drawn(composer: Composer):
    covers = [draw(composer, seed, title_share=1.0, misleading_share=1.0) for seed in range(30)]
    for cover in covers:
        assert cover.grade(cover.main) == 2
        assert cover.titled != cover.main
        assert cover.grade(cover.titled) == 1
        others = set(range(CONCEPTS)) - {cover.main, cover.titled, *cover.small}
        assert {cover.grade(c) for c in others} <= {0}
    agreeing = draw(composer, 1, title_share=1.0, misleading_share=0.0)
    assert agreeing.titled == agreeing.main


def test_lines_keep_a_name_whole_and_balance():
    rng = random.Random(0)
    assert _chinese_lines("", "直升机", "", rng) == [[("", False), ("直升机", True), ("", False)]]
    assert _chinese_lines("我的", "直升机", "日记", rng) == [[("我的", False)], [("直升机", True), ("日记", False)]]
    lines = _chinese_lines("教你画", "旋转木马", "", rng)
    assert [[text for text, _ in line] for line in lines] == [["教你画"], ["旋转木马", ""]]
    lines = _english_lines("my ", "water drop", " vlog")
    assert ["".join(text for text, _ in line) for line in lines] == ["my water", "drop vlog"]


def test_maps_say_what_lies_where(composer: Composer):
    cover = draw(composer, 5, title_share=1.0, misleading_share=1.0, small_objects=0, augment=False)
    objects, words = region_maps(cover, 7, CONCEPTS)
    assert set(objects.tolist()) == {cover.main, CONCEPTS}
    assert cover.titled in words
    left, top, right, bottom = next(box for concept, is_word, box in cover.regions if not is_word)
    middle = int((top + bottom) / 2 * 7) * 7 + int((left + right) / 2 * 7)
    assert objects[middle] == cover.main


def test_characters_are_known_where_they_were_drawn(composer: Composer):
    by_number = {number: character for character, number in composer.alphabet.items()}
    titled = [draw(composer, seed, title_share=1.0) for seed in range(40)]
    assert {cover.title.isascii() for cover in titled if cover.title} == {True, False}
    for cover in titled:
        spelled = character_map(cover, 7, composer.alphabet)
        assert spelled.shape == (49, 3)
        drawn = {by_number[number] for number in spelled.ravel() if number >= 0}
        wanted = {c for c in (cover.title or "").lower() if c in composer.alphabet}
        assert drawn <= wanted
        assert len(drawn) >= min(len(wanted), 3)
    untitled = draw(composer, 1, title_share=0.0)
    assert (character_map(untitled, 7, composer.alphabet) == -1).all()


def test_filler_never_makes_another_name():
    filler = Filler(["热", "车", "的"], ["amazing"], ["狗", "热狗", "车", "dog", "hot dog", "watch"])
    rng = random.Random(1)
    chinese = {filler.template("狗", "zh", rng).format("狗") for _ in range(300)}
    assert {"狗的", "的狗", "狗"} <= chinese
    assert not any("热狗" in text or "车" in text for text in chinese)
    english = {filler.template("dog", "en", rng).format("dog") for _ in range(300)}
    assert {"amazing dog", "dog amazing", "watch dog"} <= english
    assert all(text.endswith("dog") for text in english if "watch" in text)


def test_only_training_has_filler(composer: Composer):
    known = {template for split in ("train", "validation") for template in TITLES["zh"][split]}
    named = [
        (cover, composer.concepts[cover.titled].zh) for cover in (draw(composer, seed, "validation", title_share=1.0) for seed in range(40))
    ]
    for cover, names in named:
        if cover.title and not cover.title.isascii():
            assert any(cover.title.replace(name, "{}") in known for name in names)
    drawn = [draw(composer, seed, title_share=1.0) for seed in range(60)]
    assert any(
        not any((cover.title or "").replace(name, "{}") in known for name in composer.concepts[cover.titled].zh)
        for cover in drawn
        if cover.title and not cover.title.isascii()
    )


def test_a_step_can_be_made_again_and_covers_come_up_as_often_as_asked(composer: Composer, tokenizer):
    def make():
        return SyntheticData(composer, tokenizer, side=32, patch=16, length=6, pair_length=6, pairs=4, batch=4, seed=2, reuse=2)

    data = make()
    first, again = data.at(7), make().at(7)
    assert torch.equal(first.pictures, again.pictures)
    assert torch.equal(first.pair_ids, again.pair_ids)
    mains = [tuple(data.at(step).lesson.asked.tolist()) for step in range(48)]
    assert sorted(mains.count(m) for m in set(mains))[0] >= 2
    labels = torch.cat([data.at(step).pair_labels for step in range(10)])
    has_text = torch.cat([data.at(step).has_text for step in range(10)])
    assert (labels[has_text][:, 0] == 1).all()
    assert (labels[~has_text] == -1).all()


def test_a_run_that_goes_on_sees_what_a_straight_one_does_while_covers_get_harder(composer: Composer, tokenizer, monkeypatch):
    monkeypatch.setattr(synthetic, "ALL_HARD_AFTER", 400)

    def make():
        return SyntheticData(composer, tokenizer, side=32, patch=16, length=6, pair_length=6, pairs=4, batch=2, seed=2, reuse=2)

    straight = make()
    seen = [straight.at(step).pictures for step in range(60)]
    assert all(torch.equal(make().at(step).pictures, seen[step]) for step in range(30, 60, 5))


def test_a_teacher_tells_patches_apart_and_the_exam_gives_all_figures(composer: Composer, tokenizer, model):
    data = SyntheticData(composer, tokenizer, side=32, patch=16, length=6, pair_length=6, pairs=2, batch=6, seed=2)
    teacher = Teacher(64, 32, CONCEPTS, len(composer.alphabet), 1)
    batch = data.at(0)
    image, tokens = model.image(batch.pixels())
    terms = teacher(image, tokens, model.text(batch.text_ids), model.logit_scale.exp(), batch.lesson)
    assert {"concept", "query", "title", "main", "objects", "words", "characters"} == set(terms)
    assert all(torch.isfinite(term) and term >= 0 for term in terms.values())
    figures = sit_exam(model.eval(), make_exam(composer, "validation", side=32), tokenizer, 6, np.array([True] * 3 + [False] * 3))
    assert figures["R@10"].value == 1
    assert figures["R@10 art unlike training"].count == 6
    assert figures["titles"].count == 2 * CONCEPTS


@pytest.mark.parametrize("synthetic", [True, False])
def test_matching_is_learned_with_and_without_grades(composer: Composer, tokenizer, model, synthetic: bool):
    data = SyntheticData(composer, tokenizer, side=32, patch=16, length=6, pair_length=6, pairs=3, batch=6, seed=2)
    recipe = Recipe(losses={"matching": 1.0}, steps=1, batch=6, pairs=3)
    teacher = Teacher(64, 32, CONCEPTS, len(composer.alphabet), 1)
    batch = data.at(0) if synthetic else replace(data.at(0), lesson=None)
    terms = Objective(model, teacher, recipe, data.query_bank())(batch, torch.Generator().manual_seed(1))
    assert set(terms) == {"matching"}
    terms["matching"].backward()
    for part in (model.proj_itm, model.itm_decoder.resblocks[0].cross_attn.in_proj_weight, model.visual.conv1.weight):
        assert part.grad.abs().sum() > 0


def test_reranking_gains_what_its_signals_know():
    grades = np.array([[0, 2, 1, 0], [1, 0, 0, 2]])
    cosine = np.array([[0.9, 0.8, 0.7, 0.6]] * 2)
    knows = (grades == 2) * 1.0
    signals = np.stack([cosine, knows, np.zeros((2, 4))], -1)
    names = ("cosine", "ocr_semantic", "ocr_match")
    candidates = Candidates(names, signals, grades, np.array([3 + 1 / np.log2(3)] * 2), np.array([4, 5]))
    assert candidates.ndcg((1, 0, 0)) == pytest.approx(
        [(3 / np.log2(3) + 1 / 2) / (3 + 1 / np.log2(3)), (1 + 3 / np.log2(5)) / (3 + 1 / np.log2(3))]
    )
    weights = fit_weights(candidates)
    assert weights[:1] == (1.0,)
    assert weights[1] > 0.3
    before, added = gain(candidates, weights)
    assert before + added.value == pytest.approx(candidates.ndcg((1, 9, 0)).mean())
    assert added.low > 0


@pytest.mark.parametrize("own_layers", [0, 1])
def test_a_collection_asks_for_what_it_shows_in_both_languages(composer: Composer, tokenizer, model, own_layers: int):
    collection = draw_collection(composer, "test", 12, 32)
    assert len(collection.covers) == 12
    assert {cover.art for cover in collection.covers} == {"twemoji"}
    assert [concept for concept, _ in collection.queries] == [c for c in range(CONCEPTS) for _ in range(2)]
    model = Uniclip(replace(model.sizes, matching_vision_layers=own_layers)).eval()
    found = find_candidates(model, collection, tokenizer, 6, depth=5)
    assert found.names == ("cosine", "ocr_semantic", "ocr_match", "itm")
    assert found.signals.shape == (12, 5, 4)
    assert ((found.ndcg((1, 0, 0, 0)) >= 0) & (found.ndcg((1, 0, 0, 0)) <= 1)).all()


def test_intervals_hold_their_mean():
    figure = mean_figure(np.array([1.0] * 80 + [0.0] * 20))
    assert figure.value == pytest.approx(0.8)
    assert 0.7 < figure.low < 0.8 < figure.high < 0.9


def icon(inside: tuple[int, int, int], line: tuple[int, int, int]) -> Image.Image:
    """A ring, filled or not."""
    y, x = np.mgrid[:64, :64]
    radius = np.hypot(x - 32, y - 32)
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[radius < 18] = (*inside, 255) if inside != line else (0, 0, 0, 0)
    pixels[(radius >= 18) & (radius < 21)] = (*line, 255)
    return Image.fromarray(pixels)


def test_other_drawings_of_an_icon_show_it_in_its_place_in_many_ways():
    for sprite in (icon((250, 200, 40), (20, 60, 30)), icon((0, 0, 0), (0, 0, 0))):
        drawings = [restyle(sprite, random.Random(seed)) for seed in range(40)]
        alphas = [np.asarray(drawing)[..., 3] > 128 for drawing in drawings]
        assert all(drawing.size == sprite.size and drawing.mode == "RGBA" for drawing in drawings)
        assert all(200 < alpha.sum() < 2600 for alpha in alphas)
        assert all(not alpha[:2].any() and not alpha[-2:].any() for alpha in alphas)
        assert len({drawing.tobytes() for drawing in drawings}) == len(drawings)
    assert restyle(sprite, random.Random(3)).tobytes() == restyle(sprite, random.Random(3)).tobytes()


def test_an_icon_of_lines_is_filled_with_colours():
    lines = icon((0, 0, 0), (0, 0, 0))
    assert has_one_colour(lines)
    drawings = [restyle(lines, random.Random(seed)) for seed in range(40)]
    filled = [np.asarray(drawing)[32, 32, 3] > 128 for drawing in drawings]
    assert 20 < sum(filled) < 40
    assert sum(not has_one_colour(drawing) for drawing in drawings) > 20


def test_only_covers_that_ask_for_it_show_other_drawings(composer: Composer):
    plain, same, other = draw(composer, 3), draw(composer, 3, restyled=0.0), draw(composer, 3, restyled=1.0)
    assert np.array_equal(plain.pixels, same.pixels)
    assert not np.array_equal(plain.pixels, other.pixels)
    assert np.array_equal(other.pixels, draw(composer, 3, restyled=1.0).pixels)
