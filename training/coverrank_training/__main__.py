"""python -m coverrank_training: draw covers, train, take the exam, write samples."""

import argparse
from pathlib import Path

from . import distributed
from .covers.artwork import SPLITS
from .covers.collection import STYLE, write_collection
from .evaluate import report
from .train.assemble import Sources, assemble
from .train.recipe import read_recipe


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="coverrank_training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_train(commands.add_parser("train", help="train or fine-tune by a recipe; goes on where a run in the folder stopped"))
    exam = commands.add_parser("exam", help="how well a checkpoint recognises and reads covers that training never saw")
    exam.add_argument("checkpoint", type=Path, help="a file, or the folder of a UniCLIP bundle")
    exam.add_argument("--split", choices=[s for s in SPLITS if s != "train"], default="test")
    covers = commands.add_parser("covers", help="draw covers of a split into a folder, in the CBVS format and with judgements")
    covers.add_argument("out", type=Path)
    covers.add_argument("--split", choices=list(SPLITS), default="train")
    covers.add_argument("--count", type=int, default=1000)
    covers.add_argument("--side", type=int, default=224, help="pixels")
    covers.add_argument("--seed", type=int, default=1)
    covers.add_argument("--ease", type=float, default=STYLE.ease, help="0 to 1: from cluttered to one large object")
    for command in (exam, covers):
        command.add_argument("--artwork", type=Path, required=True, help="folder with sprites.raw, sprites.json and node_modules")
    exam.add_argument("--vocab", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.command == "train":
        _train(options)
    elif options.command == "exam":
        report.exam(options.checkpoint, options.vocab, options.artwork, options.split)
    else:
        write_collection(options.out, options.artwork, options.split, options.count, options.side, options.seed, options.ease)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument(
        "--checkpoint", type=Path, help="what to start from: CN-CLIP, QA-CLIP, UniCLIP or R2D2, or the folder of a UniCLIP bundle"
    )
    parser.add_argument("--teacher", type=Path, help="state.pt of an earlier synthetic run")
    parser.add_argument("--data", type=Path, help="covers in the CBVS format")
    parser.add_argument("--validation", type=Path, help="more covers in the CBVS format, held out")
    parser.add_argument("--pictures", type=Path, help="folder that the covers' pictures lie in")
    parser.add_argument("--artwork", type=Path, help="for synthetic covers: folder with sprites and fonts")
    for name, kind in (("steps", int), ("batch", int), ("seed", int), ("workers", int)):
        parser.add_argument(f"--{name}", type=kind)
    parser.add_argument("--learning-rate", type=float)


def _train(options: argparse.Namespace) -> None:
    recipe = read_recipe(
        options.recipe, steps=options.steps, batch=options.batch, seed=options.seed, workers=options.workers,
        learning_rate=options.learning_rate,
    )  # fmt: skip
    sources = Sources(
        options.vocab, options.checkpoint, options.teacher, options.data, options.validation, options.pictures, options.artwork
    )
    try:
        assemble(recipe, sources, options.out).train()
    finally:
        distributed.stop()


if __name__ == "__main__":
    main()
