"""A folder of small pictures, a model of them, and jobs that read them from a folder, by path, or out of a table."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import save
import torch

from model_zoo.architectures.builders import build
from model_zoo.package.package import SMOKE, write_package
from model_zoo.steps.image import Image, decode_images
from model_zoo.steps.table import AnyStep
from tests.support.builders import parquet

SIDE = 8
_STEP = Image(step="image", column="photo", into="image", height=SIDE, width=SIDE, mode="L")
_PARAMETERS = {"channels": 1, "height": SIDE, "width": SIDE, "classes": 3, "widths": [2]}


def make_png(seed: int, side: int = SIDE) -> bytes:
    """A grey picture of its own."""
    sink = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    Pillow.fromarray(pixels).save(sink, "PNG")
    return sink.getvalue()


def make_network() -> torch.nn.Module:
    torch.manual_seed(3)
    return build("cnn", _PARAMETERS).eval()


def find_scores(pngs: list[bytes]) -> np.ndarray:
    """The network's highest probability for each picture, by Pillow and torch alone."""
    pixels = [np.asarray(Pillow.open(io.BytesIO(png)), dtype=np.float32) / 255 for png in pngs]
    with torch.inference_mode():
        logits = make_network()(image=torch.from_numpy(np.stack(pixels)[:, None]))["logits"]
    return logits.softmax(dim=1).max(dim=1).values.numpy()


def make_picture_package(url: Path, column: str = "photo", more: tuple[AnyStep, ...] = ()) -> Path:
    """Write a package whose one column holds encoded pictures; `more` are steps before its own."""
    network = make_network()
    step = _STEP.model_copy(update={"column": column})
    photos = pa.array([make_png(seed) for seed in range(4)])
    pixels = np.ascontiguousarray(decode_images(photos, step))
    with torch.inference_mode():
        logits = network(image=torch.from_numpy(pixels))["logits"].numpy()
    smoke = {
        column: photos,
        "input.image": pa.FixedSizeListArray.from_arrays(pa.array(pixels.reshape(-1)), SIDE * SIDE),
        "output.logits": pa.FixedSizeListArray.from_arrays(pa.array(logits.reshape(-1)), 3),
    }
    card = {
        "name": "pictures",
        "version": "1",
        "builder": "cnn",
        "parameters": _PARAMETERS,
        "columns": [{"name": column, "type": "binary", "missing": "reject"}],
        "inputs": {"image": {"dtype": "float32", "shape": [1, SIDE, SIDE]}},
        "outputs": {"logits": {"dtype": "float32", "shape": [3]}},
        "activation": "softmax",
        "labels": ["a", "b", "c"],
    }
    contents = {
        "weights.safetensors": save(network.state_dict()),
        SMOKE: parquet(pa.table(smoke)),
    }
    write_package(str(url), card, (*more, step), contents)
    return url


def write_pictures(folder: Path, count: int = 10) -> dict[str, bytes]:
    """Write pictures into two folders below a folder, and return their contents by path."""
    contents = {}
    for number in range(count):
        name = f"{'even' if number % 2 == 0 else 'odd'}/{number:03d}.png"
        contents[name] = make_png(100 + number)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[name])
    return dict(sorted(contents.items()))


def write_paths(path: Path, paths: list[str | None], **columns: Any) -> None:
    """Write a table of ids and paths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = pa.array(paths, type=pa.string())
    pq.write_table(pa.table({"id": range(len(paths)), "path": texts, **columns}), path)


def load_step(root: Path | str, **changes: Any) -> dict[str, Any]:
    """The step that reads a path column into `photo`."""
    return {"step": "load_file", "column": "path", "root": str(root), "into": "photo", **changes}
