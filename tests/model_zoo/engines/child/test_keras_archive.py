"""A `.keras` file is a network of Keras' own layers and their numbers, or it is refused before Keras sees it."""

from collections.abc import Callable
import io
import json
from pathlib import Path
from typing import Any
import zipfile

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from model_zoo.engines.child.keras_archive import _check_weights, _list_parts, check_archive  # noqa: E402


def layer(name: str = "Dense", module: str | None = "keras.layers", **changes: Any) -> Any:
    return {
        "module": module,
        "class_name": name,
        "config": {"units": 3},
        "registered_name": None,
        **changes,
    }


def network(*layers: Any) -> Any:
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": list(layers)}}


def weights(fill: Callable[[Any], Any] = lambda file: None) -> bytes:
    sink = io.BytesIO()
    with h5py.File(sink, "w") as file:
        file.create_group("layers/dense/vars")["0"] = np.zeros((3, 2), np.float32)
        fill(file)
    return sink.getvalue()


def archive(config: Any, numbers: bytes | None = None, **others: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", weights() if numbers is None else numbers)
        for name, content in others.items():
            file.writestr(name, content)
    return sink.getvalue()


def test_layers_of_keras_and_how_they_were_trained_are_taken() -> None:
    relu = {
        "module": "keras.src.ops.nn",
        "class_name": "Relu",
        "config": {},
        "registered_name": "Relu",
    }
    config = network(layer(), relu)
    # Which is not read.
    config["compile_config"] = layer("MyLoss", "my_module")
    check_archive(archive(config))


@pytest.mark.parametrize(
    "part",
    [
        layer("Lambda"),
        layer("TorchModuleWrapper"),
        layer("StringLookup"),
        layer("TFSMLayer"),
        layer("MyLayer", "my_module"),
        layer("Dense", "os"),
        layer("Dense", None),
        layer("Dense", registered_name="mine>Dense"),
        layer("get_file", "keras.utils"),
        layer("load_model", "keras"),
        layer("function", "builtins", config="get_file", registered_name="function"),
        layer("function", "keras.activations", config="relu"),
        layer("__lambda__", None),
    ],
)
def test_what_runs_code_or_reads_files_is_refused_by_name_however_deep(part: Any) -> None:
    inner = layer("TimeDistributed", config={"layer": {"deeper": [part]}})
    with pytest.raises(ValueError, match=f"names '{part['class_name']}' of"):
        check_archive(archive(network(layer(), inner)))


def test_other_files_are_refused() -> None:
    with pytest.raises(ValueError, match=r"it holds 'assets/words.txt'"):
        check_archive(archive(network(), **{"assets/words.txt": b"x"}))
    with pytest.raises(ValueError, match=r"no .keras file"):
        check_archive(b"PK\3\4")
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        file.writestr("config.json", "{}")
    with pytest.raises(ValueError, match=r"must hold config.json and model.weights.h5"):
        check_archive(sink.getvalue())


def test_no_few_bytes_become_many() -> None:
    with pytest.raises(ValueError, match="unpacks to 20,"):
        check_archive(archive(network(), bytes(20 << 20)))

    def describe_many(file: Any) -> None:
        # Nothing of it is stored: all are the number that the file fills up with.
        file.create_dataset("many", (1 << 40,), np.float32, chunks=(1 << 20,))

    with pytest.raises(ValueError, match="more numbers than it holds"):
        check_archive(archive(network(), weights(describe_many)))
    nested: Any = {}
    for _ in range(100):
        nested = {"config": nested}
    with pytest.raises(ValueError, match="deeper than"):
        check_archive(archive(network(nested)))


@pytest.mark.parametrize(("deep", "is_taken"), [(60, True), (64, True), (65, False)])
def test_layers_are_nested_as_deep_as_is_said_and_no_deeper(deep: int, is_taken: bool) -> None:
    nested: Any = {}
    for _ in range(deep):
        nested = [nested]
    parts = _list_parts(nested, 0)
    if is_taken:
        assert list(parts) == [{}]
        return
    with pytest.raises(ValueError, match="nested deeper than 64"):
        list(parts)


def test_weights_lead_to_no_other_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(64))

    def link(file: Any) -> None:
        file["elsewhere"] = h5py.ExternalLink(str(secret), "/")

    def circle(file: Any) -> None:
        file["layers/again"] = h5py.SoftLink("/layers")

    def store_outside(file: Any) -> None:
        file.create_dataset("outside", (4,), np.float32, external=[(str(secret), 0, 16)])

    def show_another(file: Any) -> None:
        layout = h5py.VirtualLayout((4,), np.float32)
        layout[:] = h5py.VirtualSource(str(secret), "x", (4,))
        file.create_virtual_dataset("shown", layout)

    for fill in (link, circle, store_outside, show_another):
        with pytest.raises(ValueError, match="other files"):
            check_archive(archive(network(), weights(fill)))


def test_weights_are_numbers() -> None:
    def write_words(file: Any) -> None:
        file["words"] = np.array([b"a", b"b"])

    with pytest.raises(ValueError, match="not numbers"):
        check_archive(archive(network(), weights(write_words)))


@pytest.mark.parametrize(("deep", "is_taken"), [(61, True), (62, False)])
def test_a_network_is_the_first_of_what_is_nested(deep: int, is_taken: bool) -> None:
    # Layers stand in a list in the settings of a network.
    nested: Any = {}
    for _ in range(deep):
        nested = [nested]
    content = archive(network(nested))
    if is_taken:
        check_archive(content)
        return
    with pytest.raises(ValueError, match="nested deeper than 64"):
        check_archive(content)


def test_a_group_counts_as_a_byte() -> None:
    # Three groups, and six numbers of four bytes.
    _check_weights(weights(), 27)
    with pytest.raises(ValueError, match="more numbers than it holds"):
        _check_weights(weights(), 26)
