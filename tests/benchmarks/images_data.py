"""What the images workload reads: photographs as JPEG bytes in Parquet, and a ResNet-18 that tells their parts apart.

An image is a random crop (place, size, side, brightness) of one of the two photographs that scikit-learn carries, its short side
scaled to 256 pixels, quality 90. There are eight classes: which quarter of which photograph the crop is from.

The convolutions are random (seeded), their batch normalisation has the statistics of a forward pass over images, and only the last
layer is fitted: enough that classes have the margins of a real network, without a download and without an hour of training.
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

CLASSES = 8
SIDE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LABELS = [
    f"{photograph}, {part}"
    for photograph in ("temple", "flower")
    for part in ("top left", "top right", "bottom left", "bottom right")
]
_SHORT_SIDE = 256
_ROW_GROUP_ROWS = 64
_FIRST_TRAINING_ID = 10**9
_TRAINING_IMAGES = 320
_STATISTICS_IMAGES = 64
_SMOKE_IMAGES = 4
_SCHEMA = pa.schema([("id", pa.int64()), ("image", pa.binary())])


def make_shards(folder: Path, rows: int, shards: int) -> None:
    """Write the shards; image n is the same in every number of rows."""
    photographs = _photographs()
    with whole_folder(shards_folder(folder, rows, shards)) as target:
        first = 0
        for number, count in enumerate(shard_rows(rows, shards)):
            ids = range(first, first + count)
            images = [_jpeg(photographs, i) for i in ids]
            table = pa.table(
                {"id": pa.array(ids, pa.int64()), "image": pa.array(images, pa.binary())},
                schema=_SCHEMA,
            )
            pq.write_table(
                table,
                target / f"part-{number:05d}.parquet",
                compression="none",
                row_group_size=_ROW_GROUP_ROWS,
            )
            first += count


def class_of(number: int) -> int:
    """The class of image `number`."""
    return number % CLASSES


def _photographs() -> list[Any]:
    import PIL.Image
    from sklearn.datasets import load_sample_images

    return [PIL.Image.fromarray(pixels) for pixels in load_sample_images().images]


def _jpeg(photographs: list[Any], number: int) -> bytes:
    import PIL.ImageEnhance
    import PIL.ImageOps

    random = np.random.default_rng([7, number])
    photograph, part = photographs[class_of(number) // 4], class_of(number) % 4
    width, height = photograph.width // 2, photograph.height // 2
    high = int(random.integers(height * 4 // 5, height))
    wide = int(random.integers(high, min(width, high * 3 // 2) + 1))
    left = part % 2 * width + int(random.integers(0, width - wide + 1))
    top = part // 2 * height + int(random.integers(0, height - high + 1))
    scale = _SHORT_SIDE / high
    crop = photograph.crop((left, top, left + wide, top + high)).resize(
        (round(wide * scale), _SHORT_SIDE)
    )
    crop = PIL.ImageOps.mirror(crop) if random.random() < 0.5 else crop
    crop = PIL.ImageEnhance.Brightness(crop).enhance(random.uniform(0.8, 1.2))
    sink = io.BytesIO()
    crop.save(sink, "JPEG", quality=90)
    return sink.getvalue()


def make_package(folder: Path) -> None:
    """Make the network, and write the model package."""
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
        mode="RGB",
        mean=MEAN,
        std=STD,
    )
    photographs, ids = (
        _photographs(),
        range(_FIRST_TRAINING_ID, _FIRST_TRAINING_ID + _TRAINING_IMAGES),
    )
    encoded = pa.array([_jpeg(photographs, i) for i in ids], pa.binary())
    pixels = np.ascontiguousarray(apply_steps([step], {"image": encoded}, len(encoded))["image"])
    network = _fitted(torch.from_numpy(pixels), np.array([class_of(i) for i in ids]))
    smoke = _smoke(encoded[:_SMOKE_IMAGES], pixels[:_SMOKE_IMAGES], network)
    card = {
        "name": "photographs",
        "version": "1",
        "builder": "resnet18",
        "parameters": {"classes": CLASSES},
        "columns": [{"name": "image", "type": "binary", "missing": "reject"}],
        "inputs": {"image": {"dtype": "float32", "shape": [3, SIDE, SIDE]}},
        "outputs": {"logits": {"dtype": "float32", "shape": [CLASSES]}},
        "activation": "softmax",
        "labels": _LABELS,
        "smoke_tolerance": 1e-3,
    }
    shutil.rmtree(folder / "package", ignore_errors=True)
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    files = {"weights.safetensors": save(weights), SMOKE: smoke}
    add_graph(card, files, network, {"image": pixels[:_SMOKE_IMAGES]})
    write_package(str(folder / "package"), card, (step,), files)


def _fitted(pixels: "torch.Tensor", classes: np.ndarray) -> "torch.nn.Module":
    """The network, its last layer a logistic regression on the 512 numbers that the random convolutions give."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    import torch

    from model_zoo.architectures.builders import build

    torch.manual_seed(7)
    module = build("resnet18", {"classes": CLASSES})
    network = module.network
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the plain mean of all batches
    with torch.no_grad():
        for images in torch.split(pixels[:_STATISTICS_IMAGES], 32):
            network.train()(images)
        last, network.fc = network.fc, torch.nn.Identity()
        features = torch.cat([network.eval()(images) for images in torch.split(pixels, 32)]).numpy()
        network.fc = last
        scaler = StandardScaler().fit(features)
        regression = LogisticRegression(max_iter=1000).fit(scaler.transform(features), classes)
        weights = regression.coef_ / scaler.scale_
        last.weight.copy_(torch.from_numpy(weights))
        last.bias.copy_(torch.from_numpy(regression.intercept_ - weights @ scaler.mean_))
    return module.eval()


def _smoke(encoded: pa.Array, pixels: np.ndarray, network: "torch.nn.Module") -> bytes:
    import torch

    with torch.inference_mode():
        logits = network(image=torch.from_numpy(pixels))["logits"].numpy()
    columns = {
        "image": encoded,
        "input.image": pa.FixedSizeListArray.from_arrays(
            pa.array(pixels.reshape(-1)), 3 * SIDE * SIDE
        ),
        "output.logits": pa.FixedSizeListArray.from_arrays(pa.array(logits.reshape(-1)), CLASSES),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


if __name__ == "__main__":
    make(make_shards, make_package)
