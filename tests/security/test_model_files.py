"""Whatever lies in a model package: nothing of it runs, and what is not weights is refused before it is unpickled.

Every package here is signed by the attacker: the card lists the hostile file with its right size and sha256.
"""

from collections.abc import Callable, Iterator
import io
import logging
from pathlib import Path
import pickle
from typing import Any
import zipfile

import joblib
import psutil
import pytest
from safetensors.torch import save
import torch

from configs.errors import ModelError, Refusal
from model_zoo.engines.settings import Settings
from model_zoo.package import files as package_files
from model_zoo.package.package import read_package
from model_zoo.package.weights import load_network
from model_zoo.scoring.scorer import load_scorer
from tests.faults.counts import full_or
from tests.security import hostile
from tests.security.refusals import Shown, refused
from tests.support.builders import tiny_network, tiny_package

Score = Callable[..., Shown]

RUN_CODE: dict[str, Callable[[Path], bytes]] = {
    "pickle": lambda c: hostile.pickled(hostile.Payload(c)),
    "pickled dict": lambda c: hostile.pickled({**hostile.weights(), "extra": hostile.Payload(c)}),
    "joblib": lambda c: hostile.joblib_dumped(hostile.Payload(c)),
    "torch.save with a reducer": hostile.with_payload_in_archive,
    "torch.save before 1.6": lambda c: hostile.torch_saved(
        hostile.Payload(c), _use_new_zipfile_serialization=False
    ),
    "call by a computed name": hostile.with_hidden_call,
    "archive in a comment": hostile.with_archive_in_comment,
    "two lists of records": hostile.with_two_lists_of_records,
    "pickle before an archive": hostile.with_pickle_before_archive,
    "TorchScript with a payload": hostile.torchscript_with_payload,
    "torch.export with a payload": hostile.exported_with_payload,
}
# The program loads weights in one way; each way to refuse them is seen from outside once, and every file in the full counts.
SEEN_FROM_OUTSIDE = [
    "pickle",
    "torch.save with a reducer",
    "two lists of records",
    "torch.export with a payload",
]
ARE_CODE = {"TorchScript": hostile.torchscript, "torch.export": hostile.exported}


def follow(content: bytes) -> object:
    """Load the file as one should not."""
    return torch.load(io.BytesIO(content), weights_only=False)


FOLLOWED_BY: dict[str, Callable[[bytes], object]] = {
    "pickle": pickle.loads,
    "pickled dict": pickle.loads,
    "joblib": lambda content: joblib.load(io.BytesIO(content)),
    "archive in a comment": lambda content: follow(
        hostile.rewritten(content, lambda _, record: record)
    ),
    "TorchScript with a payload": lambda content: pickle.loads(
        hostile.records(content)["archive/data.pkl"]
    ),
    "torch.export with a payload": lambda content: torch.export.load(io.BytesIO(content)),
}
READERS = (
    (torch, "load"),
    (torch.jit, "load"),
    (torch.export, "load"),
    (pickle, "load"),
    (pickle, "loads"),
    (pickle, "Unpickler"),
    (joblib, "load"),
)
NAMES = (
    "weights.safetensors",
    "weights.pt",
    "weights.pth",
    "weights.pt2",
    "model.pkl",
    "model.joblib",
)


def signed(folder: Path, name: str, content: bytes, **card: Any) -> str:
    return tiny_package(folder, weights=name, contents={name: content}, **card)


def refusal(url: str) -> str:
    """Why the package's network is not loaded."""
    with pytest.raises(Refusal) as caught:
        load_network(read_package(url))
    assert len(str(caught.value)) < 1_000
    return str(caught.value)


def content_of(kind: str, canary: Path) -> bytes:
    return RUN_CODE[kind](canary) if kind in RUN_CODE else ARE_CODE[kind]()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [*RUN_CODE, *ARE_CODE])
def test_a_file_that_could_run_code_is_refused_whatever_it_is_called(
    kind: str, name: str, tmp_path: Path, canary: Path
) -> None:
    assert name in refusal(signed(tmp_path / "model", name, content_of(kind, canary)))
    assert not canary.exists()


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("pickle", marks=pytest.mark.beam),
        *full_or(SEEN_FROM_OUTSIDE, [*RUN_CODE, *ARE_CODE])[1:],
    ],
)
def test_the_program_refuses_it_and_publishes_nothing(
    kind: str, score_with: Score, tmp_path: Path, canary: Path
) -> None:
    line = refused(score_with(signed(tmp_path / "model", "weights.pt", content_of(kind, canary))))
    assert "could run code" in line
    assert not canary.exists()
    assert not (tmp_path / "scores/CURRENT").exists()


@pytest.fixture
def _torch_logs_errors() -> Iterator[None]:
    """torch.export has a warning that logging cannot format."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(before)


@pytest.mark.program
@pytest.mark.parametrize("kind", RUN_CODE)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.usefixtures("_torch_logs_errors")
def test_the_payloads_are_real(kind: str, canary: Path) -> None:
    """Each starts a shell, as an attacker would."""
    FOLLOWED_BY.get(kind, follow)(RUN_CODE[kind](canary))
    assert canary.exists()


def test_nothing_is_unpickled_before_it_is_refused(
    tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even the restricted unpickler of torch is not asked about a file that calls more than what puts tensors together."""
    packages = [
        read_package(signed(tmp_path / str(number), "weights.pt", content_of(kind, canary)))
        for number, kind in enumerate([*RUN_CODE, *ARE_CODE])
    ]
    asked: list[str] = []
    for module, name in READERS:
        monkeypatch.setattr(
            module, name, lambda *_, who=f"{module.__name__}.{name}", **__: asked.append(who)
        )
    for package in packages:
        with pytest.raises(ModelError, match="could run code"):
            load_network(package)
    assert asked == []


@pytest.mark.parametrize("lie", hostile.lying_headers())
def test_a_lying_safetensors_header_is_refused(lie: str, tmp_path: Path) -> None:
    content = hostile.lying_headers()[lie]
    before = psutil.Process().memory_info().rss
    assert "weights.safetensors: does not hold the weights of mlp" in refusal(
        signed(tmp_path / "m", "weights.safetensors", content)
    )
    assert psutil.Process().memory_info().rss - before < 1 << 30


def _numbers_lie(content: bytes) -> bytes:
    assert b"K\x18" in content, "24 numbers of the first weight"
    return content.replace(b"K\x18", b"K\x7f")


LYING_ARCHIVES: dict[str, Callable[[bytes], bytes]] = {
    "more numbers than are there": lambda a: hostile.rewritten(
        a, lambda n, c: _numbers_lie(c) if n.endswith(".pkl") else c
    ),
    "compressed records": lambda a: hostile.rewritten(a, lambda n, c: c, zipfile.ZIP_DEFLATED),
    "cut": lambda a: a[:-30],
    "more behind": lambda a: a + b"\0",
    "a record too many": lambda a: hostile.with_records(a, {"archive/code/x.py": b"x"}),
    "a record elsewhere": lambda a: hostile.with_records(a, {"../../canary": b"x"}),
    "two pickles": lambda a: hostile.with_records(a, {"archive/data.pkl": b"x"}),
    "a pickle that is cut": lambda a: hostile.rewritten(
        a, lambda n, c: c[:-20] if n.endswith(".pkl") else c
    ),
    "a list": lambda a: hostile.torch_saved([torch.zeros(1)]),
    "numbers for names": lambda a: hostile.torch_saved(dict(enumerate(hostile.weights().values()))),
    "nested": lambda a: hostile.torch_saved({"state_dict": hostile.weights()}),
    "sparse": lambda a: hostile.torch_saved(
        {n: t.to_sparse() for n, t in hostile.weights().items()}
    ),
    "no numbers": lambda a: hostile.torch_saved(
        {n: t.to("meta") for n, t in hostile.weights().items()}
    ),
}


@pytest.mark.parametrize("lie", LYING_ARCHIVES)
def test_a_lying_archive_is_refused(lie: str, tmp_path: Path) -> None:
    content = LYING_ARCHIVES[lie](hostile.torch_saved(hostile.weights()))
    assert "weights.pt: does not hold the weights of mlp" in refusal(
        signed(tmp_path / "model", "weights.pt", content)
    )


@pytest.mark.beam
def test_a_plain_state_dict_is_taken(score_with: Score, tmp_path: Path) -> None:
    network = tiny_network()
    for number, state in enumerate((network.state_dict(), dict(network.named_parameters()))):
        # What is told is not compared: a thread of an earlier run through Beam may speak meanwhile.
        package = signed(tmp_path / str(number), "weights.pt", hostile.torch_saved(state))
        status, told = score_with(package)
        assert status == 0, told


@pytest.mark.parametrize(
    "builder",
    ["os.system", "__import__", "eval", "build", "torch.nn.Linear", "Mlp", " ", "mlp "],
)
def test_a_builder_is_an_architecture_and_nothing_else(
    builder: str, tmp_path: Path, canary: Path
) -> None:
    package = tiny_package(
        tmp_path / "model", builder=builder, parameters={"command": f"touch '{canary}'"}
    )
    assert "is unknown" in refusal(package)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("builder", "why"),
    [
        ("os:system", "is Python's own"),
        ("torch.nn:Linear", "is a library that this program needs"),
        ("pipelines.score:main", "is a package of this program"),
        ("planted:Net", "list planted in model.modules"),
        ("planted.inner:Net", "list planted.inner in model.modules"),
        (":Net", "is unknown"),
        ("planted:_Net", "is unknown"),
        ("torchvision:../planted", "has no network"),
        ("transformers:AutoConfig", "has no network"),
    ],
)
def test_a_card_imports_no_module_that_the_job_does_not_list(
    builder: str, why: str, tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the module nor the packages around it."""
    if builder.startswith("transformers:"):
        pytest.importorskip("transformers")
    planted = tmp_path / "path/planted"
    planted.mkdir(parents=True)
    plant = f"open({str(canary)!r}, 'w').close()\nfrom torch.nn import Identity as Net\n"
    for name in ("__init__.py", "inner.py"):
        (planted / name).write_text(plant)
    monkeypatch.syspath_prepend(str(planted.parent))
    package = tiny_package(tmp_path / "model", builder=builder, source_sha256="0" * 64)
    assert why in refusal(package)
    assert not canary.exists()


GIANTS = [
    {"in_features": 3, "hidden": [10**9], "out_features": 1},
    {"in_features": 3, "hidden": [10**6, 10**6], "out_features": 1},
    {"in_features": 3, "hidden": [10**30], "out_features": 1},
    {"in_features": 3, "hidden": [8] * 2_000, "out_features": 1},
    {"in_features": 3, "hidden": [-8], "out_features": 1},
    {"in_features": 3, "hidden": "x" * 100, "out_features": 1},
    {"in_features": 3, "hidden": [8], "out_features": 10**12},
    {"in_features": [], "hidden": {}, "out_features": None},
]


@pytest.mark.parametrize("parameters", GIANTS, ids=range(len(GIANTS)))
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_memory_is_given_only_for_weights_that_were_delivered(
    parameters: dict[str, Any], tmp_path: Path
) -> None:
    before = psutil.Process().memory_info().rss
    refusal(tiny_package(tmp_path / "model", parameters=parameters))
    assert psutil.Process().memory_info().rss - before < 1 << 30


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_tensor_that_only_looks_large_is_no_excuse(name: str, tmp_path: Path) -> None:
    """One number, seen as 10**12 through a stride of 0, in a file of a few kilobytes."""
    giant = {"in_features": 10**6, "hidden": [10**6], "out_features": 1}
    seen = {"layers.0.weight": torch.zeros(1).expand(10**6, 10**6)}
    content = (
        hostile.torch_saved(seen)
        if name.endswith(".pt")
        else save({"layers.0.weight": torch.zeros(1)})
    )
    package = signed(tmp_path / "model", name, content, parameters=giant)
    assert "numbers, and the file has" in refusal(package)


def test_what_was_hashed_is_what_is_loaded(
    tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights are read and hashed again when they are loaded: in one read, with no gap for a swap."""
    good = hostile.torch_saved(hostile.weights())
    package = read_package(signed(tmp_path / "model", "weights.pt", good))
    weights = tmp_path / "model/weights.pt"
    check, checked = package_files._check_content, list[str]()

    def swap_after(url: str, name: str, *content: Any) -> None:
        check(url, name, *content)
        checked.append(name)
        weights.write_bytes(hostile.with_payload_in_archive(canary))

    with monkeypatch.context() as patch:
        patch.setattr(package_files, "_check_content", swap_after)
        network = load_network(package)
    assert checked == ["weights.pt"]
    assert torch.equal(
        network.state_dict()["layers.0.weight"], hostile.weights()["layers.0.weight"]
    )
    assert weights.read_bytes() != good
    with pytest.raises(ModelError, match="size or sha256 differs"):
        load_scorer(package, "cpu", Settings(8), 1)
    with pytest.raises(ModelError, match="size or sha256 differs"):
        read_package(package.url, package.digest)
    assert not canary.exists()
