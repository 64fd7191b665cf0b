"""A small real model of texts: a word tokenizer, an encoder with random weights, and a package of both."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.torch import save
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
import torch

from model_zoo.architectures.builders import build
from model_zoo.package.package import SMOKE, read_package, write_package
from model_zoo.steps.tokenize import Tokenize, tokenize
from tests.support.builders import parquet

TOKENS = 64
WORDS = ("[UNK]", *(f"word{i}" for i in range(30)))
PARAMETERS = {
    "vocabulary": len(WORDS),
    "width": 16,
    "layers": 2,
    "heads": 4,
    "feed_forward": 32,
    "positions": TOKENS,
}


def tokenizer() -> str:
    """The content of a `tokenizer.json`: one token per word."""
    made = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[0]))
    made.pre_tokenizer = Whitespace()
    return str(made.to_str())


def step() -> Tokenize:
    return Tokenize(step="tokenize", column="text", max_tokens=TOKENS, tokenizer=tokenizer())


def encoder() -> torch.nn.Module:
    torch.manual_seed(5)
    return build("sentence_encoder", PARAMETERS).eval()


def texts(count: int, seed: int = 1, longest: int = TOKENS + 20) -> list[str]:
    """Texts of 1 to `longest` words."""
    random = np.random.default_rng(seed)
    return [
        " ".join(f"word{i}" for i in random.integers(0, 30, size))
        for size in random.integers(1, longest + 1, count)
    ]


def embeddings(network: torch.nn.Module, rows: list[str]) -> np.ndarray:
    """Row by row, without any padding."""
    result = []
    for row in rows:
        numbers, mask = tokenize(pa.array([row]), step())
        length = int(mask.sum())
        with torch.inference_mode():
            given = network(
                input_ids=torch.from_numpy(numbers[:, :length]),
                attention_mask=torch.from_numpy(mask[:, :length]),
            )
        result.append(given["embedding"].numpy()[0])
    return np.stack(result)


def text_package(url: Path, **changes: Any) -> str:
    network, rows = encoder(), texts(6)
    numbers, mask = tokenize(pa.array(rows), step())

    def wide(values: np.ndarray) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])

    outputs = embeddings(network, rows)
    smoke = pa.table(
        {
            "text": rows,
            "input.input_ids": wide(numbers),
            "input.attention_mask": wide(mask),
            "output.embedding": wide(outputs),
        }
    )
    card = {
        "name": "texts",
        "version": "1",
        "builder": "sentence_encoder",
        "parameters": PARAMETERS,
        "columns": [{"name": "text", "type": "string", "missing": "reject"}],
        "inputs": {
            name: {"dtype": "int64", "shape": [TOKENS]} for name in ("input_ids", "attention_mask")
        },
        "outputs": {"embedding": {"dtype": "float32", "shape": [16]}},
        "mask": "attention_mask",
        **changes,
    }
    write_package(
        str(url),
        card,
        (step(),),
        {"weights.safetensors": save(network.state_dict()), SMOKE: parquet(smoke)},
    )
    return str(url)


def text_package_of_both(folder: Path) -> str:
    """Write a package of the encoder and its exported graph below a folder, and return its URL."""
    # Only here: it takes seconds, and most tests of texts need no graph.
    from pipelines.packing.exporting.network_graph import export_network

    plain = read_package(text_package(folder / "plain"))
    numbers, mask = tokenize(pa.array(texts(6)), step())
    inputs = {"input_ids": numbers, "attention_mask": mask}
    graph = export_network(encoder(), plain.card, inputs)
    fields = plain.card.model_dump(exclude={"files"}, exclude_unset=True)
    contents = {}
    for name in plain.card.files:
        # Written anew, of the steps.
        if name != "preprocess.json":
            contents[name] = plain.read_file(name)
    contents["model.onnx"] = graph.SerializeToString()
    url = str(folder / "both")
    write_package(url, {**fields, "onnx": {}}, plain.steps, contents)
    return url
