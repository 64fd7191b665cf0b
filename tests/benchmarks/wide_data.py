"""What the wide workload reads: 200 columns of mixed types with missing values, and a package fitted with scikit-learn.

    d00 ... d59  float64, standardised        c00 ... c29  strings of 8 categories, one-hot
    f00 ... f39  float32, standardised        o00 ... o09  strings of 40 categories, ordinal, standardised
    n00 ... n49  int64, standardised          b00 ... b09  booleans, as they are

All but the booleans have missing values, which the median (floats) or the most frequent value takes the place of. Few rows hold a
category that training did not see. Beside the package lies what people keep: the same preprocessing as a pickled scikit-learn
ColumnTransformer, fitted on the same rows.
"""

from collections.abc import Iterator
from pathlib import Path
import pickle
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.made_data import make, whole_folder
from tests.benchmarks.tabular_data import shard_rows, shards_folder

if TYPE_CHECKING:
    import torch

DOUBLES = tuple(f"d{i:02d}" for i in range(60))
FLOATS = tuple(f"f{i:02d}" for i in range(40))
INTEGERS = tuple(f"n{i:02d}" for i in range(50))
CATEGORIES = tuple(f"c{i:02d}" for i in range(30))
ORDINALS = tuple(f"o{i:02d}" for i in range(10))
BOOLEANS = tuple(f"b{i:02d}" for i in range(10))
COLUMNS = (*DOUBLES, *FLOATS, *INTEGERS, *CATEGORIES, *ORDINALS, *BOOLEANS)
NAMES = {8: [f"category {i}" for i in range(8)], 40: [f"level-{i:03d}" for i in range(40)]}
HIDDEN = 128
WIDTH = (
    len(DOUBLES) + len(FLOATS) + len(INTEGERS) + 8 * len(CATEGORIES) + len(ORDINALS) + len(BOOLEANS)
)
TRANSFORMER = "transformer.pickle"
_MISSING = 0.03
_UNSEEN = 0.0005
_TRAINING_ROWS = 20_000
_TRAINING = 1_000_000  # a shard number that no shard has
_ROW_GROUP_ROWS = 65_536
_SMOKE_ROWS = 16
_TYPES: dict[tuple[str, ...], pa.DataType] = {
    DOUBLES: pa.float64(),
    FLOATS: pa.float32(),
    INTEGERS: pa.int64(),
    CATEGORIES: pa.string(),
    ORDINALS: pa.string(),
    BOOLEANS: pa.bool_(),
}
_SCHEMA = pa.schema(
    [("id", pa.int64()), *((name, dtype) for names, dtype in _TYPES.items() for name in names)]
)


def make_shards(folder: Path, rows: int, shards: int) -> None:
    """Write the shards, one row group in memory at a time; ids count from 0 through all of them."""
    with whole_folder(shards_folder(folder, rows, shards)) as target:
        first_id = 0
        for number, count in enumerate(shard_rows(rows, shards)):
            with pq.ParquetWriter(target / f"part-{number:05d}.parquet", _SCHEMA) as writer:
                for batch in _batches(number, first_id, count):
                    writer.write_batch(batch)
            first_id += count


def _batches(
    number: int, first_id: int, rows: int, unseen: float = _UNSEEN
) -> Iterator[pa.RecordBatch]:
    random = np.random.default_rng([5, number])
    for start in range(0, rows, _ROW_GROUP_ROWS):
        ids = np.arange(first_id + start, first_id + min(start + _ROW_GROUP_ROWS, rows))
        columns = [
            _column(random, dtype, len(ids), 40 if names == ORDINALS else 8, unseen)
            for names, dtype in _TYPES.items()
            for _ in names
        ]
        yield pa.record_batch([pa.array(ids), *columns], schema=_SCHEMA)


def _column(
    random: np.random.Generator, dtype: pa.DataType, rows: int, categories: int, unseen: float
) -> pa.Array:
    missing = random.random(rows, dtype=np.float32) < _MISSING
    if pa.types.is_floating(dtype):
        values = (
            random.gamma(2.0, 20.0, rows)
            if random.random() < 0.5
            else random.normal(100.0, 15.0, rows)
        )
        return pa.array(values.astype(dtype.to_pandas_dtype()), dtype, mask=missing)
    if pa.types.is_integer(dtype):
        return pa.array(random.poisson(3.0, rows), dtype, mask=missing)
    if pa.types.is_boolean(dtype):
        return pa.array(random.random(rows) < 0.3, dtype)
    weights = 1.0 / np.arange(1, categories + 1)
    codes = random.choice(categories, rows, p=weights / weights.sum()).astype(np.int32)
    codes[random.random(rows) < unseen] = categories
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=missing), [*NAMES[categories], "unseen"]
    ).cast(dtype)


def make_package(folder: Path) -> None:
    """Fit preprocessing on training rows, once by this repository's own fitting and once as a ColumnTransformer; seeded weights."""
    from safetensors.torch import save
    import torch

    from model_zoo.architectures.builders import build
    from model_zoo.package.package import SMOKE, write_package
    from model_zoo.steps.encode import OneHot, Ordinal
    from model_zoo.steps.fill import Fill
    from model_zoo.steps.scale import Standardise
    from model_zoo.steps.stack import Stack
    from model_zoo.steps.table import fit_steps
    from tests.benchmarks.graphs import add_graph

    steps = (
        Fill(step="fill", columns=(*DOUBLES, *FLOATS), strategy="median"),
        Fill(step="fill", columns=(*INTEGERS, *CATEGORIES, *ORDINALS), strategy="most_frequent"),
        OneHot(step="one_hot", columns=CATEGORIES, unknown="zeros"),
        Ordinal(step="ordinal", columns=ORDINALS, unknown="code"),
        Standardise(step="standardise", columns=(*DOUBLES, *FLOATS, *INTEGERS, *ORDINALS)),
        Stack(step="stack", columns=COLUMNS, into="x"),
    )
    rows = (
        pa.Table.from_batches(_batches(_TRAINING, 0, _TRAINING_ROWS, unseen=0.0))
        .select(COLUMNS)
        .combine_chunks()
    )
    columns = {name: rows.column(name).chunk(0) for name in COLUMNS}
    fitted, left = fit_steps(steps, columns, rows.num_rows)
    parameters = {"in_features": WIDTH, "hidden": [HIDDEN], "out_features": 1}
    torch.manual_seed(5)
    network = build("mlp", parameters).eval()
    smoke = _smoke(rows.slice(0, _SMOKE_ROWS), left["x"][:_SMOKE_ROWS], network)
    shutil.rmtree(folder / "package", ignore_errors=True)
    (folder / TRANSFORMER).write_bytes(pickle.dumps(_transformer().fit(rows.to_pandas())))
    card = _card(parameters)
    files = {"weights.safetensors": save(network.state_dict()), SMOKE: smoke}
    add_graph(card, files, network, {"x": np.ascontiguousarray(left["x"][:_SMOKE_ROWS])})
    write_package(str(folder / "package"), card, fitted, files)


def _card(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "wide",
        "version": "1",
        "builder": "mlp",
        "parameters": parameters,
        "columns": [
            {"name": n, "type": str(_SCHEMA.field(n).type), "missing": _policy(n)} for n in COLUMNS
        ],
        "inputs": {"x": {"dtype": "float32", "shape": [WIDTH]}},
        "outputs": {"logit": {"dtype": "float32", "shape": []}},
        "activation": "sigmoid",
        "labels": ["no", "yes"],
    }


def _policy(name: str) -> str:
    return "error" if name in BOOLEANS else "fill"  # without a value: the fitted step has it


def _smoke(rows: pa.Table, x: np.ndarray, network: "torch.nn.Module") -> bytes:
    import torch

    with torch.inference_mode():
        logit = network(x=torch.from_numpy(np.ascontiguousarray(x)))["logit"].numpy()
    stacked = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(x).reshape(-1)), WIDTH
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows.append_column("input.x", stacked).append_column("output.logit", pa.array(logit)), sink
    )
    return sink.getvalue().to_pybytes()


def _transformer() -> Any:
    """What people write in scikit-learn; its output has the columns in the order of COLUMNS."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer(
        [
            (
                "floats",
                make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
                [*DOUBLES, *FLOATS],
            ),
            (
                "integers",
                make_pipeline(SimpleImputer(strategy="most_frequent"), StandardScaler()),
                list(INTEGERS),
            ),
            (
                "categories",
                make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot),
                list(CATEGORIES),
            ),
            (
                "ordinals",
                make_pipeline(SimpleImputer(strategy="most_frequent"), ordinal, StandardScaler()),
                list(ORDINALS),
            ),
            ("booleans", "passthrough", list(BOOLEANS)),
        ]
    )


if __name__ == "__main__":
    make(make_shards, make_package)
