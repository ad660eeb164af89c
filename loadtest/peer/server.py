"""The ranking service that a team would build today, to measure coverrank against: FastAPI, PyTorch and hnswlib.

POST /rank takes coverrank's own request (query, top_n, recall_k, rerank_k) and answers
{"results": [{"id", "score", "signals"}]}: the cosine, plus SEMANTIC_WEIGHT times the OCR semantic head where it is asked for.
"""

import argparse
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

SEMANTIC_WEIGHT = 0.1
TEXT_IDS = 52
SEMANTIC_IDS = 20
# As coverrank's graph has them.
LINKS, EF_CONSTRUCTION, EF = 16, 200, 200


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--covers", required=True, type=Path, help="folder of vectors.npy, token_values.npy, token_scales.npy")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32", help="of the weights")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of one PyTorch operator")
    parser.add_argument("--pool", type=int, default=40, help="requests worked on at once; 40 is FastAPI's own default")
    parser.add_argument("--workers", type=int, default=1, help="processes, each with its own copy of everything")
    parser.add_argument("--port", type=int, required=True)
    return parser.parse_args(arguments)


def load_index(covers: Path):
    """The graph over all vectors; built once and kept beside them."""
    import hnswlib
    import numpy

    vectors = numpy.load(covers / "vectors.npy", mmap_mode="r")
    index = hnswlib.Index("ip", vectors.shape[1])
    file = covers / "vectors.hnsw"
    if file.exists():
        index.load_index(str(file))
    else:
        index.init_index(len(vectors), M=LINKS, ef_construction=EF_CONSTRUCTION)
        index.add_items(numpy.ascontiguousarray(vectors), numpy.arange(len(vectors)))
        unfinished = file.with_suffix(".unfinished")
        index.save_index(str(unfinished))
        unfinished.rename(file)
    index.set_ef(EF)
    index.set_num_threads(1)
    return index


def load_tokens(covers: Path, dtype, width: int):
    """Image tokens of the first covers, [covers, N, width]; None where there are none."""
    import numpy
    import torch

    if not (covers / "token_values.npy").exists():
        return None
    values = torch.from_numpy(numpy.load(covers / "token_values.npy", mmap_mode="c"))
    scales = torch.from_numpy(numpy.load(covers / "token_scales.npy"))
    tokens = torch.empty((*values.shape[:2], width), dtype=dtype)
    for cover in range(len(values)):
        tokens[cover] = (numbers_of(values[cover], width) * scales[cover, :, None]).to(dtype)
    return tokens


def numbers_of(values, width: int):
    """Stored int8 [N, width * bits / 8] as float32 [N, width]: whole numbers, and behind them what rounding took away, in
    bytes of 1 / 254 or in packed digits that each stand for the middle of their level."""
    import torch

    whole, rest = values[:, :width].float(), values[:, width:].float()
    bits = 8 * values.shape[1] // width - 8
    if bits == 0:
        return whole
    if bits == 8:
        return whole + rest / 254
    levels, left, digits = 2**bits, rest + 128, []
    for _ in range(8 // bits):
        digits.append(left % levels)
        left = left // levels
    return whole + (torch.cat(digits, dim=1) + 0.5) / levels - 0.5


def create_app():
    import anyio
    import torch
    from fastapi import FastAPI
    from model import SemanticHead, TextTower, Weights
    from pydantic import BaseModel
    from tokenizers import BertWordPieceTokenizer

    chosen = options(json.loads(os.environ["PEER_ARGUMENTS"]))
    torch.set_num_threads(chosen.threads)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[chosen.dtype]
    weights = Weights(chosen.checkpoint, dtype)
    text_tower, semantic_head = TextTower(weights), SemanticHead(weights)
    tokenizer = BertWordPieceTokenizer(chosen.vocabulary, lowercase=True)
    index = load_index(chosen.covers)
    tokens = load_tokens(chosen.covers, dtype, weights["proj_ocr_semantic"].shape[0])

    class Request(BaseModel):
        query: str
        top_n: int = 10
        recall_k: int = 100
        rerank_k: int = 0

    def ids_of(text: str, length: int, padded: bool):
        ids = tokenizer.encode(text).ids
        ids = ids if len(ids) <= length else [*ids[: length - 1], ids[-1]]
        return torch.tensor([ids + [0] * (length - len(ids) if padded else 0)])

    @asynccontextmanager
    async def lifespan(_app):
        anyio.to_thread.current_default_thread_limiter().total_tokens = chosen.pool
        for _ in range(3):
            rank(Request(query="搜索", rerank_k=0 if tokens is None else 50))
        os.write(sys.stdout.fileno(), b"ready\n")  # In one piece, as several processes share the pipe.
        yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/rank")
    def rank(request: Request):
        with torch.inference_mode():
            embedding = text_tower(ids_of(request.query, TEXT_IDS, padded=False))
            labels, distances = index.knn_query(embedding.numpy(), k=min(request.recall_k, index.get_current_count()))
            labels, cosines = labels[0].tolist(), (1 - distances[0]).tolist()
            hits = [
                {"id": f"cover-{label}", "score": cosine, "signals": {"cosine": cosine}}
                for label, cosine in zip(labels, cosines)
            ]
            if request.rerank_k > 0 and tokens is not None:
                kept = tokens[torch.tensor(labels[: request.rerank_k])]
                semantic = semantic_head(ids_of(request.query, SEMANTIC_IDS, padded=True), kept).tolist()
                for hit, probability in zip(hits, semantic):
                    hit["signals"]["ocr_semantic"] = probability
                    hit["score"] += SEMANTIC_WEIGHT * probability
                hits = sorted(hits[: request.rerank_k], key=lambda hit: -hit["score"]) + hits[request.rerank_k :]
        return {"results": hits[: request.top_n]}

    return app


if __name__ == "__main__":
    import uvicorn

    os.environ["PEER_ARGUMENTS"] = json.dumps(sys.argv[1:])
    given = options(sys.argv[1:])
    load_index(given.covers)  # Built before the processes start, which then find it.
    uvicorn.run(
        "server:create_app",
        factory=True,
        app_dir=str(Path(__file__).parent),
        port=given.port,
        workers=given.workers,
        log_level="warning",
        access_log=False,
    )
