"""Values of rows stand in output files, in the key of a rejected row, and where the job asks for them; nowhere else."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
import re

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from configs.redaction import shown
from pipelines.cli.command_line import run_program
from pipelines.score import main
from tests.faults.counts import full_or
from tests.support.builders import FEATURES, tiny_package
from tests.support.programs import Programs

ROWS = 12
BAD = 5
# One for each column. None is an English word that an error might use by itself.
CANARIES = (
    "Zebediah",
    "Quagmire",
    "zq.mail",
    "41111111",
    "11117654",
    "Xylophon",
    "deadb33f",
    "7a656265",
)
SHORT = re.compile(r"\b(4111|7654)\b")  # a digest can hold these by chance, though not alone
STEP = (
    "preprocess.steps=[{{step: function, function: 'tests.security.telling_steps:{}', takes: {}}}]"
)
BUDGET = ["--set", "errors.max_rejected_rows=10"]


def table(bad: dict[int, str] | None = None) -> pa.Table:
    """Rows with something to tell; `bad` names the way in which the function tells of a row."""
    bad = {BAD: "bare"} if bad is None else bad
    x = np.random.default_rng(0).standard_normal((3, ROWS), dtype=np.float32)
    names = [f"Zebediah Quagmire{chr(97 + i)}" for i in range(ROWS)]
    return pa.table(
        {
            "id": range(ROWS),
            **dict(zip(FEATURES, x, strict=True)),
            "bad": [bad.get(row, "") for row in range(ROWS)],
            "name": names,
            "mail": ["zq.mail@example.org"] * ROWS,
            "card": ["4111 1111 1111 7654"] * ROWS,
            "inner": pa.array([{"street": "Xylophon Lane 4111"}] * ROWS),
            "raw": pa.array([b"zebediah deadb33f \xff"] * ROWS),
        }
    )


@pytest.fixture
def flags_for(tmp_path: Path) -> Callable[..., list[str]]:
    """What scores the table."""

    def flags(rows: pa.Table | None = None) -> list[str]:
        rows = table() if rows is None else rows
        (tmp_path / "in").mkdir()
        pq.write_table(rows, tmp_path / "in/a.parquet")
        package = tiny_package(tmp_path / "model")
        columns = [name for name in rows.column_names if name not in ("id", *FEATURES)]
        known = [
            "--config",
            "configs/breast_cancer.yaml",
            "--input",
            str(tmp_path / "in"),
            "--model",
            package,
            "--output",
            str(tmp_path / "scores"),
        ]
        known += [
            "--metrics_file",
            str(tmp_path / "m.prom"),
            "--set",
            f"source.passthrough={columns}",
        ]
        return [*known, "--set", "preprocess.modules=[tests.security.telling_steps]"]

    return flags


@pytest.fixture
def run(
    flags_for: Callable[..., list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Score the table: exit status, and what was said, with the metrics file and the manifest."""

    def score(*flags: str, rows: pa.Table | None = None) -> tuple[int, str]:
        known = flags_for(rows)
        capfd.readouterr()
        status = run_program(main, [*known, *flags])
        texts = [path for name in ("m.prom", "_manifest.json") for path in tmp_path.rglob(name)]
        return status, "".join(capfd.readouterr()) + "".join(path.read_text() for path in texts)

    return score


def rejected(folder: Path) -> pa.Table:
    return pa.concat_tables(
        [pq.read_table(path) for path in sorted((folder / "scores").glob("runs/*/_rejected/*"))]
    )


def error_line(text: str) -> str:
    """The last line that a program of its own would show; the runner's threads write before it in this process."""
    return next(
        line
        for line in reversed(text.splitlines())
        if line.startswith("error: ") or '"level": "error"' in line
    )


def told(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary.casefold() in text.casefold()] + SHORT.findall(
        text
    )


ARROW_TELLS = {
    "quoted": "ValueError",
    "bare": "KeyError",
    "shouted": "RuntimeError",
    "parts": "ValueError",
    "numpy_cast": "ValueError",
    "arrow_cast": "ArrowInvalid",
    "chained": "ValueError",
}


@pytest.mark.parametrize(
    ("function", "takes", "tells"),
    [("each", "arrow", ARROW_TELLS), ("pandas_cast", "pandas", {"pandas_cast": "ValueError"})],
)
@pytest.mark.beam
def test_a_rejected_row_is_told_without_its_values(
    function: str,
    takes: str,
    tells: dict[str, str],
    run: Callable[..., tuple[int, str]],
    tmp_path: Path,
) -> None:
    rows = table({BAD + number: way for number, way in enumerate(tells)})
    status, said = run(
        "--log_format=json", "--set", STEP.format(function, takes), *BUDGET, rows=rows
    )
    assert status == 0
    record = rejected(tmp_path)
    assert (
        record.column("row").to_pylist()
        == record.column("key").to_pylist()
        == [BAD + number for number in range(len(tells))]
    )
    assert record.column("error").to_pylist() == list(tells.values())
    assert record.column_names == ["source", "row", "key", "stage", "error", "message"]
    assert told(str(record.drop_columns(["source", "row", "key"]).to_pylist())) == []
    assert told(said) == []


FAILURES = ("always", "together", "warns")


@pytest.mark.parametrize(
    ("function", "log"),
    full_or(
        [("always", "text"), ("together", "json"), ("warns", "json")],
        [*product(FAILURES, ("text", "json"))],
    ),
)
@pytest.mark.beam
def test_a_run_that_fails_tells_no_values(
    function: str, log: str, run: Callable[..., tuple[int, str]]
) -> None:
    extra = [
        "--set",
        STEP.format(function, "arrow"),
        f"--log_format={log}",
        "--set",
        "sink.format=parquet",
    ]
    if function == "warns":
        extra += ["--set", "postprocess.sort_by=[name]"]
    status, said = run(*extra)
    assert (status == 0) is (function == "warns")
    if status:
        assert told(error_line(said)) == []
        assert "telling_steps" in error_line(said)


def test_over_the_budget_no_values_are_told(run: Callable[..., tuple[int, str]]) -> None:
    status, said = run("--set", STEP.format("bare", "arrow"))
    assert status == 4
    assert told(error_line(said)) == []


def test_values_are_kept_where_the_job_asks_for_them_and_only_there(
    run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    status, said = run(
        "--log_format=json",
        "--set",
        STEP.format("bare", "arrow"),
        *BUDGET,
        "--set",
        "errors.store_values=true",
    )
    assert status == 0
    (row,) = rejected(tmp_path).to_pylist()
    expected = table().slice(BAD, 1).to_pylist()[0]
    assert {name: row["values"][name] for name in ("name", "mail", "inner", "raw")} == {
        name: expected[name] for name in ("name", "mail", "inner", "raw")
    }
    assert told(row["message"]) == []
    assert told(said) == []


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ("{step: cast, columns: [name], dtype: float32}", 2),
        ("{step: stack, columns: [name], into: x}", 2),
        ("{step: ordinal, columns: [name], unknown: error, categories: [[a]]}", 3),
        ("{step: one_hot, columns: [name], unknown: reject, categories: [[a]]}", 4),
        ("{step: fill, columns: [mail], values: [Zebediah]}", 0),
    ],
)
def test_failing_steps_tell_no_values(
    step: str, status: int, run: Callable[..., tuple[int, str]]
) -> None:
    got, said = run("--set", f"preprocess.steps=[{step}]", "--quiet")
    assert got == status, said
    if status:
        assert told(error_line(said)) == []


@pytest.mark.parametrize(
    "where",
    [
        "name > 3",
        "card + 1",
        "inner == 'x'",
        "raw == 1",
        "name == probability",
        "probability > 'x'",
    ],
)
def test_a_filter_that_cannot_be_tells_no_values(
    where: str, run: Callable[..., tuple[int, str]]
) -> None:
    status, said = run("--set", f'postprocess.where="{where}"', "--quiet")
    assert status == 2
    assert told(error_line(said)) == []


CAST = "preprocess.steps=[{step: cast, columns: [name], dtype: float32}]"
FAILING = {
    "always": (["--set", STEP.format("always", "arrow"), "--log_format=json"], 2),
    "over the budget": (["--set", STEP.format("bare", "arrow")], 4),
    "together": (["--set", STEP.format("together", "arrow")], 2),
    "cast": (["--set", CAST], 2),
    "filter": (["--set", 'postprocess.where="name > 3"'], 2),
    "worker process": (
        ["--set", STEP.format("always", "arrow"), "--direct_running_mode=multi_processing"],
        2,
    ),
}


@pytest.mark.parametrize("kind", list(FAILING)[: full_or(-1, len(FAILING))])
def test_a_process_that_fails_tells_no_values_anywhere(
    kind: str, flags_for: Callable[..., list[str]], tmp_path: Path, programs: Programs
) -> None:
    """Not in the last line alone: a process of its own says nothing else, its runner's threads included."""
    flags, status = FAILING[kind]
    done = programs.run("pipelines.score", *flags_for(), *flags)
    assert done.returncode == status, done.stderr
    assert error_line(done.stderr)
    assert told(done.stdout + done.stderr + (tmp_path / "m.prom").read_text()) == []


CSV_FAULTS = {
    "a field too many": lambda text: text.replace("Quagmiref", "Quagmiref,Zebediah"),
    "not a number": lambda text: text.replace("0,0.1", "0,Zebediah", 1),
    "no number in the whole column": lambda text: text.replace("0.", "Quagmire"),
    "a quote that is not closed": lambda text: text.replace(
        "Zebediah Quagmiref", '"Zebediah Quagmiref'
    ),
    "not UTF-8": lambda text: text.replace("Quagmiref", "Quagmire\udcff"),
    "a NUL": lambda text: text.replace("Quagmiref", "Quagmire\0"),
}


@pytest.mark.parametrize("fault", CSV_FAULTS)
def test_bad_csv_tells_no_values(
    fault: str, run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    sink = pa.BufferOutputStream()
    pacsv.write_csv(table().select(["id", *FEATURES, "name", "card"]), sink)
    text = sink.getvalue().to_pybytes().decode()
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "a.csv").write_bytes(CSV_FAULTS[fault](text).encode(errors="surrogateescape"))
    flags = [
        "--config",
        "configs/breast_cancer.yaml",
        "--input",
        str(folder),
        "--set",
        "source.format=csv",
        "--set",
        "source.passthrough=[name, card]",
        *BUDGET,
    ]
    flags += ["--set", "source.types={id: int64, name: string, card: string}", "--quiet"]
    status, said = run(*flags)
    said = said.replace(str(tmp_path), "")
    if status == 0:
        assert told(str(rejected(tmp_path).select(["error", "message"]).to_pylist()) + said) == []
    else:
        assert told(error_line(said)) == []
        assert "internal error" not in error_line(said)


def test_an_internal_error_tells_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(argv: object) -> int:
        raise RuntimeError(
            "Traceback ...\nValueError: could not convert 'Zebediah Quagmire' (card 4111 1111 1111 7654, zq.mail@example.org)"
        )

    assert run_program(fails, []) == 1
    line = capsys.readouterr().err
    assert told(line) == []
    assert "internal error: RuntimeError: ValueError: could not convert *** (card *** ***)" in line


@pytest.mark.parametrize(
    ("message", "values", "expected"),
    [
        ("it's bad: 'Ann O'Neil' here", [], "it's bad: *** here"),
        ('He said "Ann', [], "He said ***"),
        ('He said "Ann\\', [], "He said ***"),
        ("card 4111-1111-1111-1111", [], "card ***"),
        ("customer AB12CD34 is unknown", [], "customer *** is unknown"),
        (
            "cannot cast float32 to int64 in column_17",
            [],
            "cannot cast float32 to int64 in column_17",
        ),
        ("hex 0x416e6e21 and b'\\x00ann'", [], "hex *** and ***"),
        ("mail ann.smith@example.org, please", [], "mail ***, please"),
        ("NAME: ANN SMITH; and smith", ["Ann Smith"], "NAME: ***; and ***"),
        ("Smith, of Ohio", ["Ann Smith of Columbus in Ohio"], "***, of ***"),
        ("a is a", ["a"], "*** is ***"),
        ("at last", ["a"], "at last"),
        ("2024-01-02 03:04:05 is too late", [], "*** is too late"),
    ],
)
def test_what_is_blotted_out(message: str, values: list[str], expected: str) -> None:
    assert shown(ValueError(message), values) == expected
