"""Held against golden numbers of the reference implementations, and against what the service makes of our files."""

import gzip
import io
import json
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from coverrank_training.data.batch import MEAN, STD
from coverrank_training.data.tokenizer import Tokenizer
from coverrank_training.models.checkpoint import load_model, read_weights, save_model, uniclip_sizes
from coverrank_training.models.r2d2 import R2d2, R2d2Sizes
from coverrank_training.models.uniclip import Uniclip, UniclipSizes

from .conftest import CHARACTERS

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "test" / "fixtures"
CLI = ROOT / "dist" / "src" / "cli.js"


def unpacked(name: str, file: str, tmp_path: Path) -> Path:
    """The fixture's checkpoint. The packed zip may lack the record of its format's version, which torch asks for."""
    packed = gzip.decompress((FIXTURES / name / file).read_bytes())
    path = tmp_path / file.removesuffix(".gz")
    with zipfile.ZipFile(io.BytesIO(packed)) as source, zipfile.ZipFile(path, "w") as target:
        names = source.namelist()
        for entry in names:
            target.writestr(entry, source.read(entry))
        folder = names[0].split("/")[0]
        if f"{folder}/version" not in names:
            target.writestr(f"{folder}/version", "3\n")
    return path


def golden(name: str) -> tuple[dict, torch.Tensor]:
    folder = FIXTURES / name
    return json.loads((folder / "golden.json").read_text(encoding="utf-8")), torch.from_numpy(np.load(folder / "pixels.npy"))


def test_uniclip_gives_the_numbers_of_the_reference(tmp_path: Path):
    model = load_model(unpacked("uniclip-mini", "checkpoint.pt.gz", tmp_path)).eval()
    expected, pixels = golden("uniclip-mini")
    known = json.loads((FIXTURES / "uniclip-mini" / "tokens.json").read_text(encoding="utf-8"))
    ids = torch.tensor([known["ids_context12"][text] for text in expected["texts"]])
    with torch.no_grad():
        image, tokens = model.image(pixels)
        presence = model.presence(tokens).softmax(-1)[:, 1]
        text = normalize(model.text(ids), dim=-1)
        padded = torch.nn.functional.pad(ids, (0, 8))[None].expand(len(tokens), -1, -1)
        semantic = model.semantic(tokens, padded).softmax(-1)[..., 1]
    assert np.abs(normalize(image, dim=-1).numpy() - expected["image_embedding"]).max() < 1e-5
    assert np.abs(presence.numpy() - expected["ocr_presence"]).max() < 1e-5
    assert np.abs(text.numpy() - expected["text_embedding_context12"]).max() < 1e-5
    whole = [len(known["tokens"][text]) + 2 <= 12 for text in expected["texts"]]
    assert sum(whole) > 10
    difference = np.abs(semantic.numpy() - expected["ocr_semantic_context20"])[:, whole]
    assert difference.max() < 1e-5


def test_heads_of_vit_h_are_80_wide_and_all_others_64():
    def sizes(width: int) -> UniclipSizes:
        shapes = {
            "visual.class_embedding": (width,),
            "visual.conv1.weight": (width, 3, 14, 14),
            "visual.positional_embedding": (257, width),
            "bert.embeddings.word_embeddings.weight": (10, 64),
            "bert.embeddings.position_embeddings.weight": (12, 64),
            "bert.encoder.layer.0.intermediate.dense.weight": (128, 64),
            "text_projection": (64, 32),
        }
        return uniclip_sizes({name: torch.empty(shape, device="meta") for name, shape in shapes.items()})

    assert [(width, sizes(width).vision_heads) for width in (768, 1024, 1280)] == [(768, 12), (1024, 16), (1280, 16)]


def test_r2d2_gives_the_numbers_of_the_reference(tmp_path: Path):
    model = load_model(unpacked("r2d2-mini", "checkpoint.pth.gz", tmp_path), head_width=32).eval()
    expected, pixels = golden("r2d2-mini")
    longest = max(map(len, expected["token_ids"]))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in expected["token_ids"]])
    with torch.no_grad():
        image, tokens = model.image(pixels)
        text, hidden = model.words(ids)
        judged = [model.match(tokens[i : i + 1].expand(len(ids), -1, -1), hidden, ids) for i in range(len(tokens))]
    assert np.abs(normalize(image, dim=-1).numpy() - expected["image_embedding"]).max() < 1e-5
    masked_alike = [0 not in row for row in expected["token_ids"]]  # a literal [PAD] is a word to the reference
    assert masked_alike.count(False) == 1
    assert np.abs(normalize(text, dim=-1).numpy() - expected["text_embedding"])[masked_alike].max() < 1e-5
    for side, name in enumerate(("itm_text", "itm_image")):
        scores = torch.stack([pair[side].softmax(-1)[:, 1] for pair in judged]).numpy()
        assert np.abs(scores - expected[name])[:, masked_alike].max() < 5e-5


def test_files_are_spelt_as_published_and_come_back(model: Uniclip, tmp_path: Path):
    save_model(model, tmp_path / "m.pt", step=3)
    saved = torch.load(tmp_path / "m.pt", weights_only=True)
    assert {"epoch", "step", "name", "state_dict", "optimizer"} == set(saved)
    names = set(saved["state_dict"])
    assert {"module.ln_ocr_exist.weight", "module.proj_ocr_content", "module.visual.conv1.weight"} <= names
    assert saved["state_dict"]["module.visual.conv1.weight"].dtype == torch.float16
    loaded = load_model(tmp_path / "m.pt")
    assert loaded.sizes == model.sizes
    own = model.state_dict()
    assert max((own[k] - v).abs().max().item() for k, v in loaded.state_dict().items()) < 2e-3


def test_flash_attention_spellings_are_understood(model: Uniclip, tmp_path: Path):
    weights = dict(model.state_dict())
    own = dict(weights)
    stack = [weights.pop(f"bert.encoder.layer.0.attention.self.{part}.weight") for part in ("query", "key", "value")]
    weights["bert.encoder.layer.0.attention.self.Wqkv.weight"] = torch.cat(stack)
    for kind in ("weight", "bias"):
        name = f"bert.encoder.layer.0.attention.output.dense.{kind}"
        weights[f"bert.encoder.layer.0.attention.self.out_proj.{kind}"] = weights.pop(name)
        weights[f"visual.transformer.resblocks.0.attn.Wqkv.{kind}"] = weights.pop(f"visual.transformer.resblocks.0.attn.in_proj_{kind}")
    torch.save({"state_dict": weights}, tmp_path / "flash.pt")
    read = read_weights(tmp_path / "flash.pt")
    assert set(read) == set(own)
    assert all(torch.equal(read[name], own[name]) for name in own)


def coverrank(*arguments: object) -> str:
    if not CLI.exists():
        pytest.fail("the service is not compiled: npm run build")
    result = subprocess.run(["node", CLI, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("own_layers", [0, 1])
def test_the_service_embeds_and_scores_as_the_trained_model_does(
    own_layers: int, model: Uniclip, tokenizer: Tokenizer, vocabulary: Path, tmp_path: Path
):
    """Also where the matching head has an image tower of its own, with other layers than the other one."""
    model = Uniclip(replace(model.sizes, matching_vision_layers=own_layers))
    save_model(model, tmp_path / "m.pt", step=1)
    trained = load_model(tmp_path / "m.pt").eval()
    bundle, picture = tmp_path / "bundle", tmp_path / "p.png"
    lengths = ("--context-length", 6, "--ocr-context-length", 5)
    coverrank("convert", tmp_path / "m.pt", "--out", bundle, "--vocab", vocabulary, *lengths)
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    text = CHARACTERS[:3]
    (tmp_path / "t.txt").write_text(text + "\n", encoding="utf-8")
    with torch.no_grad():
        seen = (torch.from_numpy(pixels)[None].permute(0, 3, 1, 2).float() / 255 - MEAN) / STD
        image, tokens = trained.image(seen)
        ids = torch.tensor([tokenizer.encode(text, 6)])
        pair = torch.tensor([[tokenizer.encode(text, 5)]])
        expected = {
            "image": normalize(image, dim=-1)[0],
            "text": normalize(trained.text(ids), dim=-1)[0],
            "ocr_semantic": trained.semantic(tokens, pair).softmax(-1)[0, 0, 1].item(),
            "itm": trained.match(trained.second_look(seen)[1], trained.bert(pair[0])[None]).softmax(-1)[0, 0, 1].item(),
        }
    for kind, source in (("image", picture), ("text", tmp_path / "t.txt")):
        embedded = json.loads(coverrank("--json", "encode", kind, source, "--model", bundle).splitlines()[0])
        assert np.abs(np.array(embedded["embedding"]) - expected[kind].numpy()).max() < 1e-5
    scored = json.loads(coverrank("--json", "score", "--text", text, "--image", picture, "--model", bundle))
    assert find(scored, "cosine") == pytest.approx(float(expected["image"] @ expected["text"]), abs=1e-5)
    for signal in ("ocr_semantic", "itm"):
        assert find(scored, signal) == pytest.approx(expected[signal], abs=1e-3)


@pytest.mark.parametrize("own_layers", [0, 1])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("int8", 0.15)])
def test_a_bundle_is_read_back_as_the_model_that_it_was_made_of(
    precision: str, tolerance: float, own_layers: int, model: Uniclip, vocabulary: Path, tmp_path: Path
):
    model = Uniclip(replace(model.sizes, matching_vision_layers=own_layers, text_layers=2, semantic_layers=2))
    for name, parameter in model.named_parameters():
        if ".ln_" in name:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    save_model(model, tmp_path / "m.pt", step=1)
    lengths = ("--context-length", 6, "--ocr-context-length", 5)
    coverrank("convert", tmp_path / "m.pt", "--out", tmp_path / "b", "--vocab", vocabulary, "--precision", precision, *lengths)
    before, after = load_model(tmp_path / "m.pt").eval(), load_model(tmp_path / "b").eval()
    assert isinstance(after, Uniclip)
    assert replace(after.sizes, positions=model.sizes.positions) == model.sizes
    torch.manual_seed(1)
    pixels, ids = torch.randn(3, 3, 32, 32), torch.randint(4, 16, (3, 5))

    def outputs(one: Uniclip) -> list[torch.Tensor]:
        image, tokens = one.image(pixels)
        text, states = one.words(ids)
        judged = one.semantic(tokens, ids[:, None]), one.match(one.second_look(pixels)[1], states[:, None])
        return [normalize(image, dim=-1), normalize(text, dim=-1), *(j.softmax(-1) for j in (one.presence(tokens), *judged))]

    with torch.no_grad():
        for one, other in zip(outputs(before), outputs(after), strict=True):
            assert (one - other).abs().max() < tolerance


def test_a_folder_without_a_bundle_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"is no bundle: it has no image\.onnx"):
        load_model(tmp_path)


def find(value: object, name: str) -> float:
    """The first number of that name, at any depth."""
    if isinstance(value, dict):
        if name in value:
            return value[name]
        value = list(value.values())
    for child in value if isinstance(value, list) else ():
        if isinstance(child, dict | list):
            try:
                return find(child, name)
            except KeyError:
                continue
    raise KeyError(name)


def test_the_service_reads_r2d2_files(tokenizer: Tokenizer, vocabulary: Path, tmp_path: Path):
    torch.manual_seed(1)
    sizes = R2d2Sizes(32, 16, 64, 1, 128, tokenizer.size, 64, 1, 128, 12, 32, 1)
    model = R2d2(sizes).eval()
    save_model(model, tmp_path / "m.pth", step=1)
    coverrank("convert", tmp_path / "m.pth", "--out", tmp_path / "bundle", "--vocab", vocabulary, "--context-length", 6)
    text = CHARACTERS[2:5]
    (tmp_path / "t.txt").write_text(text + "\n", encoding="utf-8")
    embedded = json.loads(coverrank("--json", "encode", "text", tmp_path / "t.txt", "--model", tmp_path / "bundle").splitlines()[0])
    with torch.no_grad():
        expected = normalize(model.text(torch.tensor([tokenizer.encode(text, 6)])), dim=-1)[0]
    assert np.abs(np.array(embedded["embedding"]) - expected.numpy()).max() < 1e-5
