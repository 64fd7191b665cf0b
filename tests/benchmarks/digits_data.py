"""What the digits workload reads: scikit-learn's handwritten digits as PNG in Parquet, and a small convolutional network.

There are 1,797 of them. Image n is digit n % 1797, moved by up to a pixel and with noise of its own, so that no two files are alike.
The network is that of configs/train_digits.yaml, trained here for some seconds.
"""

import io
from pathlib import Path
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.made_data import make, whole_folder
from tests.benchmarks.tabular_data import shard_rows, shards_folder

if TYPE_CHECKING:
    import torch

CLASSES = 10
SIDE = 8
MEAN, STD = 0.5, 0.5
PARAMETERS = {"channels": 1, "height": SIDE, "width": SIDE, "classes": CLASSES, "widths": [16, 32]}
_LEVELS = 16
_NOISE = 12
_FIRST_TRAINING_ID = 10**9
_TRAINING_IMAGES = 2_000
_STEPS = 150
_BATCH_ROWS = 64
_SMOKE_IMAGES = 16
_ROW_GROUP_ROWS = 4_096
_SCHEMA = pa.schema([("id", pa.int64()), ("image", pa.binary())])


def make_shards(folder: Path, rows: int, shards: int) -> None:
    """Write the shards; image n is the same in every number of rows."""
    pixels, _ = _load_digits()
    with whole_folder(shards_folder(folder, rows, shards)) as target:
        first = 0
        for number, count in enumerate(shard_rows(rows, shards)):
            ids = range(first, first + count)
            images = [_make_png(pixels, i) for i in ids]
            columns = [pa.array(ids, pa.int64()), pa.array(images, pa.binary())]
            table = pa.table(columns, schema=_SCHEMA)
            path = target / f"part-{number:05d}.parquet"
            pq.write_table(table, path, row_group_size=_ROW_GROUP_ROWS)
            first += count


def _load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return pixels, uint8 (images, 8, 8), and the digit of each."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = digits.images * (255 / _LEVELS)
    return pixels.astype(np.uint8), digits.target


def _make_png(pixels: np.ndarray, number: int) -> bytes:
    import PIL.Image

    random = np.random.default_rng([13, number])
    digit = pixels[number % len(pixels)]
    moved = np.roll(digit, random.integers(-1, 2), axis=1)
    noise = random.integers(-_NOISE, _NOISE + 1, moved.shape)
    noisy = (moved + noise).clip(0, 255)
    sink = io.BytesIO()
    PIL.Image.fromarray(noisy.astype(np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def make_package(folder: Path) -> None:
    """Train the network, and write the model package."""
    from safetensors.torch import save
    import torch

    from model_zoo.package.package import SMOKE, write_package
    from model_zoo.steps.image import Image
    from model_zoo.steps.table import apply_steps
    from tests.benchmarks.graphs import add_graph

    step = Image(
        step="image",
        column="image",
        into="image",
        height=SIDE,
        width=SIDE,
        mode="L",
        mean=(MEAN,),
        std=(STD,),
    )
    pixels, digits = _load_digits()
    ids = np.arange(_FIRST_TRAINING_ID, _FIRST_TRAINING_ID + _TRAINING_IMAGES)
    encoded = pa.array([_make_png(pixels, int(i)) for i in ids], pa.binary())
    decoded = apply_steps([step], {"image": encoded}, len(encoded))["image"]
    images = np.ascontiguousarray(decoded)
    labels = digits[ids % len(digits)]
    network = _train(torch.from_numpy(images), torch.from_numpy(labels))

    card = {
        "name": "digits",
        "version": "1",
        "builder": "cnn",
        "parameters": PARAMETERS,
        "columns": [{"name": "image", "type": "binary", "missing": "reject"}],
        "inputs": {"image": {"dtype": "float32", "shape": [1, SIDE, SIDE]}},
        "outputs": {"logits": {"dtype": "float32", "shape": [CLASSES]}},
        "activation": "softmax",
        "labels": [str(digit) for digit in range(CLASSES)],
    }
    smoke_images = images[:_SMOKE_IMAGES]
    smoke = _make_smoke(encoded[:_SMOKE_IMAGES], smoke_images, network)
    files = {"weights.safetensors": save(network.state_dict()), SMOKE: smoke}
    add_graph(card, files, network, {"image": smoke_images})
    shutil.rmtree(folder / "package", ignore_errors=True)
    write_package(str(folder / "package"), card, (step,), files)


def _train(images: "torch.Tensor", labels: "torch.Tensor") -> "torch.nn.Module":
    import torch

    from model_zoo.architectures.builders import build

    torch.manual_seed(13)
    # Steps this small gain nothing of more, and wait long for each other on a busy machine.
    torch.set_num_threads(1)
    network = build("cnn", PARAMETERS).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.005)
    for _ in range(_STEPS):
        rows = torch.randint(len(images), (_BATCH_ROWS,))
        logits = network(image=images[rows])["logits"]
        loss = torch.nn.functional.cross_entropy(logits, labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def _make_smoke(encoded: pa.Array, images: np.ndarray, network: "torch.nn.Module") -> bytes:
    import torch

    with torch.inference_mode():
        logits = network(image=torch.from_numpy(images))["logits"].numpy()
    columns: dict[str, Any] = {
        "image": encoded,
        "input.image": pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), SIDE * SIDE),
        "output.logits": pa.FixedSizeListArray.from_arrays(pa.array(logits.reshape(-1)), CLASSES),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


if __name__ == "__main__":
    make(make_shards, make_package)
