"""Published scores against labels: the numbers that a plain loop finds, and clear refusals."""

from collections.abc import Callable
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from pipelines import evaluate
from pipelines.cli.command_line import run_program
from pipelines.evaluating.labels import to_scores
from tests.support.published import publish

FLAGS = ("--key", "id")


def scores(ids: list[Any], labels: list[Any], probabilities: list[float] | None = None) -> pa.Table:
    columns = {"id": pa.array(ids), "label": pa.array(labels)}
    return pa.table(
        columns | ({"probability": pa.array(probabilities, pa.float32())} if probabilities else {})
    )


def truth(path: Path, ids: list[Any], labels: list[Any]) -> str:
    table = pa.table(
        {"id": pa.array(ids), "truth": pa.array(labels), "other": pa.array(range(len(ids)))}
    )
    (pacsv.write_csv if path.suffix == ".csv" else pq.write_table)(table, path)
    return str(path)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Status, and the printed JSON or the error line."""

    def call(labels: str, *flags: str) -> tuple[int, Any]:
        if "--label" not in flags:
            flags = ("--label", "truth", *flags)
        status = run_program(
            evaluate.main,
            ["--output", str(tmp_path / "out"), "--labels", labels, *FLAGS, "--json", *flags],
        )
        out, err = capsys.readouterr()
        return status, json.loads(out) if status == 0 else err

    return call


def test_rows_meet_by_key_and_not_by_position(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(
        tmp_path / "out",
        scores([7, 2, 9], ["n", "y", "y"], [0.1, 0.9, 0.8]),
        scores([4, 1], ["n", "n"], [0.2, 0.6]),
    )
    status, found = run(
        truth(tmp_path / "l.parquet", [1, 2, 3, 4, 7, 9], ["y", "y", "n", "n", "n", "n"])
    )
    assert status == 0
    assert (found["rows"], found["accuracy"], found["confusion"]) == (5, 0.6, [[2, 1], [1, 1]])
    assert found["roc_auc"] == pytest.approx(
        5 / 6
    )  # of 2 x 3 pairs, only (0.6, 0.8) is the wrong way round


@pytest.mark.parametrize("scored", ["parquet", "csv"])
@pytest.mark.parametrize("labelled", ["parquet", "csv"])
def test_text_keys_keep_their_zeros_in_every_format(
    scored: str, labelled: str, tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores(["007", "7"], ["0", "1"], [0.2, 0.7]), format=scored)
    status, found = run(truth(tmp_path / f"l.{labelled}", ["7", "007"], ["1", "0"]))
    assert (status, found["accuracy"], found["roc_auc"]) == (0, 1.0, 1.0)


def test_csv_is_read_by_scorings_reader(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    """An empty text is a text, NUL bytes and quotes cost no row, and endings come in all letters."""
    ids = ["", "a\0b", 'say "hi"', "x\ny", *map(str, range(3_000))]
    publish(tmp_path / "out", scores(ids, ["NA", *["n"] * 3_003]), format="csv")
    labels = "id,truth\n" + "".join(
        '"{}",{}\n'.format(key.replace('"', '""'), "NA" if not key else "n") for key in ids
    )
    path = tmp_path / "l.CSV.GZ"
    path.write_bytes(gzip.compress(labels.encode()))
    status, found = run(str(path))
    assert (status, found["rows"], found["accuracy"]) == (0, 3_004, 1.0)


def test_a_labels_file_may_have_a_dialect_of_its_own(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores([1, 2], ["é", "b;c"]))
    path = tmp_path / "l.csv"
    path.write_bytes("id;truth\n1;\xe9\n2;'b;c'\n".encode("latin-1"))
    dialect = ("--csv", "delimiter=';'", "--csv", 'quote="\'"', "--csv", "encoding=latin-1")
    status, found = run(str(path), *dialect)
    assert (status, found["accuracy"]) == (0, 1.0)
    for flag, words in {
        "delimiter": "--csv delimiter: must be a field of source.csv=value, for example --csv",
        "delimeter=';'": "--csv: delimeter: unknown key; did you mean delimiter",
        "delimiter=ab": "--csv: delimiter",
        "encoding=utf-17": "source.csv.encoding 'utf-17' is no encoding of text",
    }.items():
        status, error = run(str(path), "--csv", flag)
        assert (status, words in error, error.count("\n")) == (2, True, 1), error


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("id,truth\n1,a\n2\n", "l.csv: row 1: row has 1 fields, the header has 2"),
        ('id,truth\n1,a\n2,"b"c\n', "l.csv: row 1: malformed quoting"),
        ("id,truth\n1,a\nx,b\n", "l.csv: row 1: column 'id': not a valid int64"),
        ('id,truth\n1,a\n2,"b\n', "l.csv: line 3: row 1: a quote opens a field"),
        ("id,truth\n1,a\n2,\n", "has no label for 1 of 2 scored rows"),
    ],
)
def test_labels_with_a_row_that_scoring_would_reject_are_refused(
    labels: str, message: str, tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores([1, 2], ["a", "b"]))
    (tmp_path / "l.csv").write_text(labels)
    status, error = run(str(tmp_path / "l.csv"))
    assert (status, message in error, error.count("\n")) == (3, True, 1), error


def test_published_dictionaries_are_their_text_in_csv(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    table = scores(["007", "7"], ["a", "b"])
    labels = table.column("label").dictionary_encode()
    publish(tmp_path / "out", table.set_column(1, "label", labels), format="csv")
    status, found = run(truth(tmp_path / "l.csv", ["7", "007"], ["b", "b"]))
    assert (status, found["accuracy"]) == (0, 0.5)


def test_large_integer_keys_are_exact(tmp_path: Path, run: Callable[..., tuple[int, Any]]) -> None:
    publish(tmp_path / "out", scores([2**53, 2**53 + 1], ["a", "b"]), format="csv")
    status, found = run(truth(tmp_path / "l.csv", [2**53 + 1, 2**53], ["b", "a"]))
    assert (status, found["accuracy"], found["roc_auc"]) == (0, 1.0, None)


def test_numbers_are_labels_too(tmp_path: Path, run: Callable[..., tuple[int, Any]]) -> None:
    publish(tmp_path / "out", scores([1, 2, 3], [0, 1, 2]))
    status, found = run(truth(tmp_path / "l.parquet", [1, 2, 3], ["0", "1", "1"]))
    assert (status, found["labels"], found["accuracy"]) == (
        0,
        ["0", "1", "2"],
        pytest.approx(2 / 3),
    )


def test_classes_say_which_label_is_positive(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores([1, 2, 3], ["bad", "good", "good"], [0.9, 0.2, 0.4]))
    labels = truth(tmp_path / "l.parquet", [1, 2, 3], ["bad", "good", "bad"])
    assert run(labels)[1]["roc_auc"] == 0.0
    found = run(labels, "--classes", "good,bad")[1]
    assert (found["roc_auc"], found["labels"], found["recall"]) == (1.0, ["good", "bad"], 0.5)
    status, error = run(labels, "--classes", "good,worse")
    assert (status, "'bad' is not one of" in error) == (3, True)


def test_labels_of_the_job_give_the_order(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores([1, 2], ["bad", "good"], [0.9, 0.2]), labels=("good", "bad"))
    assert run(truth(tmp_path / "l.parquet", [1, 2], ["bad", "good"]))[1]["roc_auc"] == 1.0


def test_lists_of_probabilities_give_an_auc_of_several_labels(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    wide = np.array(
        [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]], dtype=np.float32
    )
    table = scores([1, 2, 3, 4], ["a", "b", "c", "a"])
    lists = pa.FixedSizeListArray.from_arrays(pa.array(wide.reshape(-1)), 3)
    table = table.append_column("probabilities", lists)
    publish(tmp_path / "out", table.slice(0, 1), table.slice(1))
    labels = truth(tmp_path / "l.parquet", [1, 2, 3, 4], ["a", "b", "c", "b"])
    assert run(labels)[1]["roc_auc"] is None
    # One against the rest: a 0.8 against 0.2, 0.1, 0.6: 1; b 0.7 and 0.3 against 0.1, 0.2: 1; c: 1.
    assert run(labels, "--probability", "probabilities")[1]["roc_auc"] == 1.0


@pytest.mark.parametrize(
    ("ids", "labels", "flags", "message"),
    [
        ([1], ["a"], [], "has no label for 1 of 2 scored rows, the first with key 2"),
        ([1, 2, 2], ["a", "b", "b"], [], "3 keys, but only 2 different ones"),
        ([1, 2], ["a", None], [], "has no label for 1 of 2 scored rows, the first with key 2"),
        ([1, 2, None], ["a", "b", "b"], [], "1 rows have no key"),
        (["x", "y"], ["a", "b"], [], "its keys of type string cannot be matched with int64"),
        ([1, 2], ["a", "b"], ["--label", "trut"], "has no column 'trut'; did you mean truth?"),
        (
            [1, 2],
            ["a", "b"],
            ["--prediction", "lable"],
            "has no column 'lable'; did you mean label?",
        ),
    ],
)
def test_what_cannot_be_joined_is_refused(
    ids: list[Any],
    labels: list[Any],
    flags: list[str],
    message: str,
    tmp_path: Path,
    run: Callable[..., tuple[int, Any]],
) -> None:
    publish(tmp_path / "out", scores([1, 2], ["a", "b"]))
    status, error = run(truth(tmp_path / "l.parquet", ids, labels), *flags)
    assert status == 3
    assert message in error
    assert error.count("\n") == 1


def test_a_key_scored_twice_is_refused(tmp_path: Path, run: Callable[..., tuple[int, Any]]) -> None:
    publish(tmp_path / "out", scores([1], ["a"]), scores([1], ["a"]))
    status, error = run(truth(tmp_path / "l.parquet", [1, 2], ["a", "b"]))
    assert (status, "the scored rows: 2 keys, but only 1 different" in error) == (3, True)


def test_an_output_without_scores_is_refused(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    labels = truth(tmp_path / "l.parquet", [1], ["a"])
    status, error = run(labels)
    assert (status, "nothing is published there" in error) == (3, True)
    publish(tmp_path / "out", scores([1], ["a"]).slice(0, 0))
    assert "has no scored rows to evaluate" in run(labels)[1]


def test_labels_that_cannot_be_read_are_refused(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores([1], ["a"]))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for name in ("nowhere.csv", "broken.parquet"):
        status, error = run(str(tmp_path / name))
        assert (status, f"{name}: cannot be read" in error) == (3, True)


def test_a_published_file_that_is_gone_is_told(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores([1], ["a"]))
    (tmp_path / "out/runs/r1/scored/part-0.parquet").unlink()
    status, error = run(truth(tmp_path / "l.parquet", [1], ["a"]))
    assert (status, "part-0.parquet" in error) == (3, True)


@pytest.mark.parametrize("labelled", ["parquet", "csv"])
def test_predicted_numbers_are_compared_as_numbers(
    labelled: str, tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    predicted, true = np.array([1.5, 2.0, 4.0, 8.0]), np.array([1.0, 2.5, 4.0, 9.0])
    table = pa.table({"id": [1, 2, 3, 4], "amount": pa.array(predicted, pa.float32())})
    publish(tmp_path / "out", table)
    order = [3, 1, 0, 2]
    labels = truth(tmp_path / f"l.{labelled}", [4, 2, 1, 3], true[order].tolist())
    status, found = run(labels, "--prediction", "amount")
    assert status == 0
    of = found.pop("of")
    assert of["labels_sha256"] == hashlib.sha256(Path(labels).read_bytes()).hexdigest()
    assert (of["task"], of["model_digest"]) == ("regression", None)
    difference = predicted - true
    assert found == pytest.approx(
        {
            "rows": 4,
            "mean_absolute_error": np.abs(difference).mean(),
            "root_mean_squared_error": np.sqrt((difference**2).mean()),
            "bias": difference.mean(),
            "r2": 1 - (difference**2).sum() / ((true - true.mean()) ** 2).sum(),
        }
    )


def test_numbers_that_are_none_are_refused(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores([1, 2], ["a", "b"], [0.5, float("nan")]))
    words = truth(tmp_path / "w.parquet", [1, 2], ["a", "b"])
    status, error = run(words, "--task", "regression", "--prediction", "label")
    assert (status, "holds no numbers to compare" in error) == (3, True)
    numbers = truth(tmp_path / "n.parquet", [1, 2], [0.5, 1.5])
    status, error = run(numbers, "--prediction", "probability")
    assert (status, "1 of 2 predicted numbers are NaN or infinite" in error) == (3, True)


@pytest.mark.parametrize("labels", [[True, False, True], [1.0, 0.0, 1.0], ["1", "0", "1"]])
def test_labels_of_any_type_are_the_classes_that_they_mean(
    labels: list[Any], tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores([1, 2, 3], [1, 0, 0]))
    status, found = run(truth(tmp_path / "l.parquet", [1, 2, 3], labels))
    assert (status, found["labels"], found["confusion"]) == (0, ["0", "1"], [[1, 0], [1, 1]])


def test_labels_that_no_prediction_could_be_are_refused(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores([1, 2], ["benign", "malignant"]))
    status, error = run(truth(tmp_path / "l.parquet", [1, 2], [0, 1]))
    assert (status, "so no prediction could be right" in error) == (3, True)
    assert error.count("\n") == 1


def test_a_model_that_is_always_wrong_is_evaluated(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores([1, 2], ["n", "n"]), labels=("n", "y"))
    assert run(truth(tmp_path / "l.parquet", [1, 2], ["y", "y"]))[1]["accuracy"] == 0.0


def test_unknown_flags_are_refused(run: Callable[..., tuple[int, Any]]) -> None:
    assert run("l.parquet", "--predicton", "x") == (
        2,
        "error: unknown flag --predicton; did you mean --prediction?; see python -m pipelines.evaluate --help\n",
    )


@pytest.mark.parametrize("left_out", ["--output", "--labels", "--key", "--label"])
def test_what_must_be_said_is_asked_for(left_out: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("--output", "--labels", "--key", "--label")
    words = [word for name in names if name != left_out for word in (name, "x")]
    assert run_program(evaluate.main, words) == 2
    assert f"the following arguments are required: {left_out};" in capsys.readouterr().err


def test_an_order_that_does_not_know_all_labels_is_none(
    tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    """The labels' file may know others than the model."""
    publish(tmp_path / "out", scores([1, 2], ["z", "a"], [0.9, 0.2]), labels=("z", "a"))
    found = run(truth(tmp_path / "l.parquet", [1, 2], ["z", "m"]))[1]
    assert found["labels"] == ["a", "m", "z"]
    assert run(truth(tmp_path / "m.parquet", [1, 2], ["z", "z"]))[1]["labels"] == ["z", "a"]


def test_probabilities_of_which_one_is_missing_give_no_auc() -> None:
    column = pa.chunked_array([pa.array([0.5, None])])
    assert to_scores(column, 2) is None
    assert to_scores(None, 2) is None
    whole = pa.chunked_array([pa.array([0.5, 0.25])])
    assert to_scores(whole, 3) is None
    np.testing.assert_array_equal(to_scores(whole, 2), [0.5, 0.25])
    lists = pa.chunked_array([pa.array([[0.5, None], [0.25, 0.75]])])
    np.testing.assert_array_equal(to_scores(lists, 2), [[0.5, np.nan], [0.25, 0.75]])


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.zst"])
def test_labels_of_any_csv_are_read_as_text_with_line_breaks_in_keys_and_fields_left_empty(
    ending: str, tmp_path: Path, run: Callable[..., tuple[int, Any]]
) -> None:
    publish(tmp_path / "out", scores(["a\nb", "007"], ["y", "1"]))
    path = tmp_path / f"l.{ending}"
    codec = {"csv": None, "csv.gz": "gzip", "csv.zst": "zstd"}[ending]
    for text, expected in (('"a\nb",y\n007,1', (0, 1.0)), ('"a\nb",y\n007,', (3, None))):
        with pa.output_stream(str(path), compression=codec) as file:
            file.write(f"id,truth\n{text}\n".encode())
        status, found = run(str(path))
        assert (status, found["accuracy"] if status == 0 else None) == expected
    assert "has no label for 1 of 2 scored rows" in found
