"""A sample that a Hugging Face folder cannot be compared on is refused in words of the sample."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import package
from pipelines.cli.command_line import run_program

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
