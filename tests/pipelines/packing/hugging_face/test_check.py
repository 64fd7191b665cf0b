"""A sample that a Hugging Face folder cannot be compared on is refused in words of the sample."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from configs.errors import InputError, ModelError
from model_zoo.steps.image import Image
from model_zoo.steps.tokenize import Tokenize
from pipelines import package
from pipelines.cli.command_line import run_program
from pipelines.packing.hugging_face import check
from pipelines.packing.hugging_face.check import (
    _check_pictures,
    _check_texts,
    _compare_outputs,
    _find_difference,
    _load_theirs,
    _take_values,
)

pytest.importorskip("transformers")
tiny = pytest.importorskip("tests.support.tiny_transformers")


@pytest.mark.parametrize(
    ("column", "texts", "told"),
    [
        ("reviw", ["good", "bad"], "text: the sample has no column 'reviw'; did you mean review?"),
        ("review", pa.array([None, None], pa.string()), "no value in 'review'"),
        ("review", [1, 2], "'review' is int64"),
        ("review", [["a"], ["b"]], "'review' is list<"),
    ],
)
def test_a_column_that_is_no_text_is_refused(
    column: str, texts: Any, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.make_text_folder(tmp_path / "hf", "ForSequenceClassification")
    pq.write_table(pa.table({"id": range(2), "review": texts}), tmp_path / "rows.parquet")
    flags = ["--huggingface", str(tmp_path / "hf"), "--sample", str(tmp_path / "rows.parquet")]
    flags += ["--key", "id", "--text", column, "--output", str(tmp_path / "m")]
    status = run_program(package.main, flags)
    error = capsys.readouterr().err
    assert status in (2, 3), error
    assert told in error
    assert "internal error" not in error


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A tokenizer as transformers saves it."""
    tiny.make_tokenizer().save_pretrained(str(tmp_path))
    return tmp_path


def compare(folder: Path, texts: list[str | None], tokenizer: str = "") -> Any:
    content = tokenizer or (folder / "tokenizer.json").read_text()
    step = Tokenize(step="tokenize", column="review", max_tokens=6, tokenizer=content)
    given: Any = SimpleNamespace(path=folder)
    return _check_texts(given, step, pa.table({"review": texts}))


def test_texts_are_cut_as_transformers_cuts_them(saved: Path) -> None:
    long = "good film very nice plot the actor was boring"
    compared = compare(saved, ["good", long, "", None])
    # One is missing, and has no tokens to be compared.
    assert compared.note == "3 texts have the tokens that transformers gives them"
    assert compared.inputs["input_ids"].shape == (3, 6)
    assert len(compared.inputs) == 2
    # Two around the text, each in its place also where it is cut.
    assert compared.inputs["attention_mask"].sum(1).tolist() == [3, 6, 2]


def test_other_tokens_than_those_of_transformers_are_refused(saved: Path) -> None:
    content = (saved / "tokenizer.json").read_text()
    other = content.replace('"lowercase":true', '"lowercase":false')
    other = other.replace('"lowercase": true', '"lowercase": false')
    assert other != content
    with pytest.raises(ModelError, match="cuts the sample's text 1 into other tokens"):
        compare(saved, ["good", "Good"], other)


def test_nothing_is_fetched_or_run_for_the_librarys_own() -> None:
    given: list[Any] = []

    def load(path: str, **options: Any) -> str:
        given.append((path, options))
        return "theirs"

    library: Any = SimpleNamespace(from_pretrained=load)
    folder: Any = SimpleNamespace(path=Path("/hf"))
    assert _load_theirs(library, folder) == "theirs"
    assert given == [("/hf", {"local_files_only": True, "trust_remote_code": False})]


def test_values_that_are_there_are_taken_and_no_more_than_asked() -> None:
    sample = pa.table({"a": [None, "x", None, "y", "z"], "b": pa.array([None] * 5, pa.string())})
    assert _take_values(sample, "a", 2).to_pylist() == ["x", "y"]
    assert _take_values(sample, "a", 9).to_pylist() == ["x", "y", "z"]
    with pytest.raises(InputError, match="no value in 'b', on which the model is compared"):
        _take_values(sample, "b", 2)


def test_of_the_texts_32_are_computed(saved: Path) -> None:
    compared = compare(saved, ["good"] * 1001)
    assert compared.note.startswith("1,000 texts")
    assert [len(tensor) for tensor in compared.inputs.values()] == [32, 32]


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("ours", "theirs", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.2),
        # Small outputs are compared as they are.
        ([0.25, 0.5], [0.5, 0.5], 0.25),
        ([-4.0, 0.0], [-8.0, 0.0], 0.5),
        # What the library gives no number for is not compared.
        ([7.0, 2.0], [NAN, 2.0], 0.0),
        ([7.0, 7.0], [NAN, INF], 0.0),
        ([NAN, 2.0], [1.0, 2.0], INF),
    ],
)
def test_a_difference_is_a_share_of_the_largest_score(
    ours: list[float], theirs: list[float], difference: float
) -> None:
    found = _find_difference(torch.tensor(ours), torch.tensor(theirs))
    assert found == pytest.approx(difference)


@pytest.mark.parametrize(("shift", "is_taken"), [(0.0, True), (9e-6, True), (2e-5, False)])
def test_scores_are_those_of_transformers(
    shift: float, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = torch.nn.Linear(2, 1)

    def theirs(input: torch.Tensor) -> dict[str, torch.Tensor]:
        given = network(input)
        return {"first": given, "second": given + shift}

    class Ours(torch.nn.Module):
        """Stands in for the network that is built of the config."""

        def forward(self, input: torch.Tensor) -> dict[str, torch.Tensor]:
            assert not self.training
            given = network(input)
            return {"second": given, "first": given}

    monkeypatch.setattr(check, "build", lambda *_: Ours())
    monkeypatch.setattr(check, "load_weights", lambda *_: None)
    job = SimpleNamespace(network="x", parameters={})
    folder: Any = SimpleNamespace(job=job, weights=None, native=theirs, path="/hf")
    inputs = {"input": torch.zeros(3, 2)}
    if is_taken:
        assert _compare_outputs(folder, inputs) == pytest.approx(shift, rel=0.1)
        return
    with pytest.raises(ModelError, match="/hf: scores differ by 2e-05 from those of transformers"):
        _compare_outputs(folder, inputs)


@pytest.mark.parametrize(
    ("shift", "shape", "is_taken"),
    [
        (9e-4, None, True),
        (1.2e-3, None, False),
        (NAN, None, False),
        (0.0, (1, 3, 2, 2), False),
    ],
)
def test_pictures_are_made_numbers_as_transformers_does(
    shift: float, shape: Any, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.zeros((1, 3, 4, 4), np.float32)
    expected = np.zeros(shape, np.float32) if shape else pixels + np.float32(shift)
    monkeypatch.setattr(check, "decode_images", lambda *_: pixels)
    monkeypatch.setattr(check, "_open", lambda *_: "picture")
    library = SimpleNamespace(AutoImageProcessor=None)
    monkeypatch.setattr(check, "import_transformers", lambda: library)
    monkeypatch.setattr(
        check, "_load_theirs", lambda *_: lambda *_, **__: {"pixel_values": expected}
    )
    step = Image(step="image", column="p", into="x", height=4, width=4)
    folder: Any = SimpleNamespace(path="/hf")
    sample = pa.table({"p": [b"x"]})
    if not is_taken:
        with pytest.raises(ModelError, match=r"makes of the sample's pictures .* numbers, which"):
            _check_pictures(folder, step, sample)
        return
    compared = _check_pictures(folder, step, sample)
    assert compared.note == "1 pictures differ by 0.0009 from transformers' own"
    assert compared.inputs[step.into].shape == (1, 3, 4, 4)
