"""A sample that a Hugging Face folder cannot be compared on is refused in words of the sample."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import ModelError
from model_zoo.steps.tokenize import Tokenize
from pipelines import package
from pipelines.cli.command_line import run_program
from pipelines.packing.hugging_face.check import _check_texts

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
    # Two around the text, each in its place also where it is cut.
    assert compared.inputs["attention_mask"].sum(1).tolist() == [3, 6, 2]


def test_other_tokens_than_those_of_transformers_are_refused(saved: Path) -> None:
    content = (saved / "tokenizer.json").read_text()
    other = content.replace('"lowercase":true', '"lowercase":false')
    other = other.replace('"lowercase": true', '"lowercase": false')
    assert other != content
    with pytest.raises(ModelError, match="cuts the sample's text 1 into other tokens"):
        compare(saved, ["good", "Good"], other)
