import errno
import hashlib
import os
from pathlib import Path
from typing import BinaryIO
import uuid

import fsspec
import pyarrow as pa
import pytest
import yaml

from configs.errors import ModelError
from model_zoo.package import package as package_module
from model_zoo.package.cache import keep_copy
from model_zoo.package.package import (
    CARD,
    PREPROCESS,
    SMOKE,
    read_package,
    write_package,
)
from model_zoo.steps.encode import OneHot
from model_zoo.steps.fill import Fill
from model_zoo.steps.stack import Stack
from storage import disk
from tests.support.builders import FEATURES, smoke_file, tiny_card, tiny_network, tiny_package


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(tiny_package(tmp_path / "model"))


def refusal(url: Path | str, **arguments: str) -> str:
    with pytest.raises(ModelError) as caught:
        read_package(str(url), **arguments)
    return str(caught.value)


def edit_card(package: Path, **changes: object) -> None:
    card = yaml.safe_load((package / CARD).read_text())
    (package / CARD).write_text(yaml.safe_dump({**card, **changes}))


def test_a_package_is_read_as_it_was_written(tmp_path: Path) -> None:
    steps = (
        Fill(step="fill", columns=FEATURES, values=(0.5, 1, "x")),
        Stack(step="stack", columns=FEATURES, into="x"),
    )
    extra = {"profile.parquet": b"profile"}
    url = tiny_package(
        tmp_path / "model",
        steps=steps,
        contents=extra,
        metrics={"accuracy": 0.5},
        labels=["né", "oui"],
    )
    package = read_package(url)
    assert package.steps == steps
    assert package.card.labels == ("né", "oui")
    assert package.card.metrics == {"accuracy": 0.5}
    assert set(package.card.files) == {"weights.safetensors", SMOKE, PREPROCESS, "profile.parquet"}
    assert package.read_file("profile.parquet") == b"profile"
    for name, entry in package.card.files.items():
        content = (tmp_path / "model" / name).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert package.smoke.column_names == ["a", "b", "c", "input.x", "output.logit"]


def test_a_card_that_cannot_be_written_leaves_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder can be written again; half a card would say that it holds a package."""

    open_new = disk.open_new

    def open_full(path: Path) -> BinaryIO:
        if "model.yaml" not in path.name:
            return open_new(path)
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk, "open_new", open_full)
    with pytest.raises(OSError, match="No space left"):
        tiny_package(tmp_path / "model")
    monkeypatch.undo()
    assert not (tmp_path / "model/model.yaml").exists()
    read_package(tiny_package(tmp_path / "model"))


def test_the_digest_is_the_cards_and_names_the_whole_package(tmp_path: Path) -> None:
    digests = {
        write_package(
            str(tmp_path / str(i)),
            tiny_card(version=version),
            (),
            {"weights.safetensors": w, SMOKE: smoke_file(tiny_network())},
        )
        for i, (version, w) in enumerate([("1", b"w"), ("1", b"w"), ("2", b"w"), ("1", b"v")])
    }
    assert len(digests) == 3
    assert (
        read_package(str(tmp_path / "0")).digest
        == hashlib.sha256((tmp_path / "0" / CARD).read_bytes()).hexdigest()
    )


def test_another_package_than_the_planned_one_is_refused(package: Path) -> None:
    digest = read_package(str(package)).digest
    assert read_package(str(package), expected_digest=digest).digest == digest
    edit_card(package, version="2")
    assert "changed since the run was planned" in refusal(package, expected_digest=digest)


@pytest.mark.parametrize("name", ["weights.safetensors", PREPROCESS, SMOKE])
def test_an_altered_file_is_refused(package: Path, name: str) -> None:
    content = bytearray((package / name).read_bytes())
    content[len(content) // 2] ^= 1
    (package / name).write_bytes(content)
    message = refusal(package)
    assert name in message
    assert "size or sha256 differs" in message


@pytest.mark.parametrize("name", ["weights.safetensors", PREPROCESS, SMOKE, CARD])
def test_a_missing_file_is_refused(package: Path, name: str) -> None:
    (package / name).unlink()
    assert f"no {name} there" in refusal(package)


@pytest.mark.parametrize("name", ["weights.pt", "payload.py", ".hidden", "sub/file"])
def test_an_unlisted_file_is_refused(package: Path, name: str) -> None:
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_bytes(b"x")
    message = refusal(package)
    assert "does not list" in message
    assert name.split("/")[0] in message


@pytest.mark.parametrize("name", ["weights.safetensors", PREPROCESS, SMOKE])
def test_a_card_that_does_not_list_what_is_needed_is_refused(package: Path, name: str) -> None:
    files = yaml.safe_load((package / CARD).read_text())["files"]
    edit_card(package, files={n: e for n, e in files.items() if n != name})
    assert f"does not list {name}" in refusal(package)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/file", "..\\secret", ".hidden"])
def test_a_card_that_lists_files_elsewhere_is_refused(package: Path, name: str) -> None:
    (package.parent / "secret").write_bytes(b"x")
    files = yaml.safe_load((package / CARD).read_text())["files"]
    edit_card(
        package, files={**files, name: {"sha256": hashlib.sha256(b"x").hexdigest(), "bytes": 1}}
    )
    assert "must be a plain name" in refusal(package)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colums": []}, "colums"),
        ({"name": "../x"}, "name"),
        ({"columns": [{"name": "a", "type": "float"}]}, "columns.0.missing"),
        ({"columns": [{"name": "a", "type": "float", "missing": "guess"}]}, "columns.0.missing"),
        ({"activation": "tanh"}, "activation"),
        ({"inputs": {"x": {"dtype": "complex64", "shape": [3]}}}, "inputs.x.dtype"),
        (
            {
                "columns": [
                    {"name": "a", "type": "date32[day]", "missing": "error", "number": "weeks"}
                ]
            },
            "columns.0.number",
        ),
        (
            {"graph": {"nodes": "x", "edges": "e", "count": "n"}},
            "graph names 'e', which is no input",
        ),
        ({"graph": {"nodes": "x", "edges": "x", "count": "x"}}, "edges int64 (rows, 2, edges)"),
        ({"graph": {"nodes": "x"}}, "graph.edges"),
    ],
)
def test_a_card_that_is_not_valid_is_refused(
    package: Path, changes: dict[str, object], words: str
) -> None:
    edit_card(package, **changes)
    message = refusal(package)
    assert "not a valid model card" in message
    assert words in message


@pytest.mark.parametrize(
    "content", [b"", b"- a", b"a: [", b"!!python/object/apply:os.system ['true']", b"\xff\xfe\x00"]
)
def test_a_card_that_is_not_yaml_of_the_right_shape_is_refused(
    package: Path, content: bytes
) -> None:
    (package / CARD).write_bytes(content)
    assert "not a valid model card" in refusal(package)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (b'[{"step": "standardise", "columns": ["a"]}]', "step 0 (standardise) is not fitted"),
        (b'[{"step": "cast", "columns": "all", "dtype": "int8"}]', "step 0 (cast) is not fitted"),
        (b"[{}]", PREPROCESS),
        (b"{", PREPROCESS),
    ],
)
def test_preprocessing_that_is_not_fitted_or_not_valid_is_refused(
    package: Path, steps: bytes, words: str
) -> None:
    (package / PREPROCESS).write_bytes(steps)
    files = yaml.safe_load((package / CARD).read_text())["files"]
    edit_card(
        package,
        files={
            **files,
            PREPROCESS: {"sha256": hashlib.sha256(steps).hexdigest(), "bytes": len(steps)},
        },
    )
    assert words in refusal(package)


def test_no_package_at_all_is_refused(tmp_path: Path) -> None:
    assert "no model.yaml there" in refusal(tmp_path)
    assert "no model.yaml there" in refusal(tmp_path / "none")
    assert "none" in refusal("nosuchprotocol://none")


def test_a_package_is_never_written_over(package: Path) -> None:
    before = {p.name: p.read_bytes() for p in package.iterdir()}
    with pytest.raises(ModelError, match="holds a model package already"):
        tiny_package(package, network=tiny_network(seed=4))
    assert {p.name: p.read_bytes() for p in package.iterdir()} == before


def test_a_card_that_is_not_valid_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="activation"):
        tiny_package(tmp_path / "model", activation="tanh")
    assert not (tmp_path / "model").exists()


def test_a_package_in_another_store(tmp_path: Path) -> None:
    url = f"memory:///{uuid.uuid4().hex}"
    try:
        tiny_package(url)
        assert read_package(url).card == read_package(tiny_package(tmp_path / "model")).card
        fsspec.filesystem("memory").pipe_file(url.removeprefix("memory://") + "/stray", b"x")
        assert "does not list" in refusal(url)
    finally:
        fsspec.filesystem("memory").rm(url.removeprefix("memory://"), recursive=True)


@pytest.mark.parametrize("name", ["with space", "a#b%20", "a[1]", "日本"])
def test_strange_folder_names(tmp_path: Path, name: str) -> None:
    assert read_package(tiny_package(tmp_path / name)).card.name == "tiny"


@pytest.mark.parametrize("smoke", [b"not parquet", b""])
def test_a_smoke_batch_that_is_not_parquet_is_refused(tmp_path: Path, smoke: bytes) -> None:
    assert "smoke.parquet" in refusal(tiny_package(tmp_path / "model", contents={SMOKE: smoke}))


def test_the_card_and_the_steps_are_written_the_same_for_ever(tmp_path: Path) -> None:
    """The digest names a package, and depends on every byte of them."""
    words = " ".join(["ab", *"c" * 99])
    url = tiny_package(
        tmp_path / "model", version=words, labels=["né", "oui"], metrics={"b": 1, "a": 2}
    )
    lines = (tmp_path / "model" / CARD).read_text().splitlines()
    assert lines[0] == "name: tiny"
    assert "- né" in lines
    # In the order of the fields, and metrics in that of whoever wrote them.
    keys = [line.partition(":")[0] for line in lines if line[0] not in " -"]
    of_others = {"source_sha256", "call", "onnx", "forms", "remote", "graph"}
    assert keys == [key for key in read_package(url).card.model_dump() if key not in of_others]
    assert lines[lines.index("metrics:") + 1 :][:2] == ["  b: 1", "  a: 2"]
    # A long text is folded behind the first word that goes beyond 140 characters.
    folded = lines[1:3]
    assert folded[0] == "version: ab" + " c" * 65
    assert len(folded[0]) == 141
    assert folded[1] == "  c" + " c" * 33
    steps = (tmp_path / "model" / PREPROCESS).read_text()
    assert steps.startswith('[\n {\n  "step": "stack",\n  "columns": [\n   "a",\n')
    assert steps.endswith("]\n")


def test_the_card_of_a_local_package_is_never_taken_from_a_copy(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    digest = read_package(str(package)).digest
    keep_copy((package / CARD).read_bytes())
    edit_card(package, version="2")
    assert "changed since the run was planned" in refusal(package, expected_digest=digest)


def test_the_card_of_a_remote_package_is_taken_from_a_copy_by_whoever_knows_its_digest(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that answers over a network is had in `tests/object_stores`; here a folder is said to be one."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(package_module, "is_remote", lambda _: True)
    digest = read_package(str(package)).digest
    (package / CARD).unlink()
    assert read_package(str(package), expected_digest=digest).digest == digest
    assert f"no {CARD} there" in refusal(package)
    assert f"no {CARD} there" in refusal(package, expected_digest="0" * 64)


@pytest.mark.parametrize("taken", [2, 3])
def test_steps_make_eight_numbers_for_one_that_is_taken_and_4096_beside(
    taken: int, tmp_path: Path
) -> None:
    features = FEATURES[:taken]

    def package_of(categories: int) -> str:
        known = tuple(range(categories))
        steps = (
            OneHot(step="one_hot", columns=("a",), unknown="zeros", categories=(known,)),
            Stack(step="stack", columns=features, into="x"),
        )
        return tiny_package(tmp_path / f"{categories}", features=features, steps=steps)

    def made(categories: int) -> int:
        """The categories and the other columns, and all of them a second time in `x`."""
        return 2 * (categories + taken - 1)

    # The columns themselves are delivered, and not made.
    most = taken + 8 * taken + 4096
    last = most // 2 - (taken - 1)
    assert made(last) <= most < made(last + 1)
    read_package(package_of(last))
    words = f"its steps make {made(last + 1):,} numbers of a row, and the model takes {taken:,};"
    assert words in refusal(package_of(last + 1))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1.0, 2.0]), 1),
        (pa.array([[1.0, 2.0, 3.0]] * 2, pa.list_(pa.float32(), 3)), 3),
        (pa.array([[1.0, 2.0, 3.0]] * 2, pa.list_(pa.float32())), 3),
        # Of rows of other lengths the mean, rounded up.
        (pa.array([[1.0, 2.0], [3.0]], pa.list_(pa.float32())), 2),
    ],
)
def test_what_a_model_takes_of_a_row_is_counted_in_the_smoke_batch(
    column: pa.Array, expected: int
) -> None:
    smoke = pa.table({"input.x": column})
    assert package_module._count_numbers(smoke, "input.x") == expected
    assert package_module._count_numbers(smoke, "input.y") == 0


@pytest.mark.parametrize("name", ["churn.pt", "churn.pth", "churn.safetensors"])
def test_a_file_of_weights_is_answered_with_the_command_that_packs_it(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(b"weights")
    told = refusal(path)
    assert f"{path}: is a file" in told
    assert f"python -m pipelines.package --network MODULE:CALLABLE --weights {path} " in told
    path.unlink()
    assert "pipelines.package --network" in refusal(path)


def test_a_folder_that_is_no_package_is_told_of_the_programs_that_write_one(
    tmp_path: Path,
) -> None:
    told = refusal(tmp_path)
    assert "written by pipelines.package or pipelines.train" in told
    assert "--weights" not in told
