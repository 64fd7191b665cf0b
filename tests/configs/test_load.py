from pathlib import Path

import pytest

from configs.errors import JobError
from configs.load import load, parse_fields, parse_set
from configs.suggest import nearest, nearest_at_all
from pipelines.packing.writing.starter_job import Job
from pipelines.planning.jobs import ScoringJob

JOB = """
name: demo
source:
  paths: data/*.parquet
  key: id
model:
  package: models/demo
sink:
  path: scores
"""


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


def problem(path: Path, *overrides: str) -> str:
    with pytest.raises(JobError) as caught:
        load(ScoringJob, str(path), [parse_set(o) for o in overrides])
    return str(caught.value)


def test_a_job_is_what_the_file_says(job_file: Path) -> None:
    job = load(ScoringJob, str(job_file))
    assert job.source.paths == ("data/*.parquet",)
    assert (job.name, job.source.key, job.model.package, job.sink.path) == (
        "demo",
        "id",
        "models/demo",
        "scores",
    )
    assert (job.model.device, job.errors.max_rejected_rows, job.sink.rows_per_file) == (
        "cpu",
        0,
        1_000_000,
    )


def test_set_overrides_in_order_and_parses_yaml(job_file: Path) -> None:
    overrides = [
        "model.batch_rows=7",
        "model.batch_rows=9",
        "source.paths=[a, b]",
        "errors.max_rejected_percent=0.5",
    ]
    job = load(ScoringJob, str(job_file), [parse_set(o) for o in overrides])
    assert (job.model.batch_rows, job.source.paths, job.errors.max_rejected_percent) == (
        9,
        ("a", "b"),
        0.5,
    )


def test_set_makes_sections_that_the_file_lacks(job_file: Path) -> None:
    assert load(
        ScoringJob, str(job_file), [parse_set("postprocess.rename={probability: p}")]
    ).postprocess.rename == {"probability": "p"}


def test_set_keeps_equals_signs_of_the_value(job_file: Path) -> None:
    assert parse_set("postprocess.where=p == 1") == ("postprocess.where", "p == 1")
    assert (
        load(ScoringJob, str(job_file), [parse_set("postprocess.where=p == 1")]).postprocess.where
        == "p == 1"
    )


@pytest.mark.parametrize("text", ["model.batch_rows", "=3", ""])
def test_set_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(JobError, match=r"key\.sub=value"):
        parse_set(text)


def test_set_through_a_value_is_refused(job_file: Path) -> None:
    assert "name is a value, not a section" in problem(job_file, "name.first=x")


_STEPS = "preprocess.steps=[{step: cast, columns: [a], dtype: int8}, {step: cast, columns: [b], dtype: int8}]"


@pytest.mark.parametrize("number", [0, 1])
def test_set_reaches_into_a_list(number: int, job_file: Path) -> None:
    overrides = [_STEPS, f"preprocess.steps.{number}.dtype=int16", "preprocess.steps.1.columns.0=c"]
    job = load(ScoringJob, str(job_file), [parse_set(text) for text in overrides])
    dtypes = ["int8", "int8"]
    dtypes[number] = "int16"
    steps = [step.model_dump(include={"columns", "dtype"}) for step in job.preprocess.steps]
    assert steps == [
        {"columns": ("a",), "dtype": dtypes[0]},
        {"columns": ("c",), "dtype": dtypes[1]},
    ]


@pytest.mark.parametrize("word", ["2", "-1", "01", "dtype", "", "\uff11", "9" * 5_000])
@pytest.mark.parametrize("inner", ["", ".dtype"])
def test_set_beyond_a_list_is_refused(word: str, inner: str, job_file: Path) -> None:
    told = problem(job_file, _STEPS, f"preprocess.steps.{word}{inner}=int16")
    assert f"there is no steps.{word}; steps is a list of 2, numbered from 0" in told


def test_set_into_a_list_that_is_not_there_is_refused(job_file: Path) -> None:
    told = problem(job_file, "preprocess.steps.0.dtype=int16")
    assert "preprocess.steps: has no entries" in told


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("modl.package=x", "modl: unknown key; did you mean model?"),
        ("model.batchrows=2", "model.batchrows: unknown key; did you mean batch_rows?"),
        ("source.csv.delimeter=;", "source.csv.delimeter: unknown key; did you mean delimiter?"),
        (
            "preprocess.steps=[{step: fill, colums: [a], values: [0]}]",
            "colums: unknown key; did you mean columns?",
        ),
        (
            "preprocess.steps=[{step: stack, columns: [a], onto: x}]",
            "onto: unknown key; did you mean into?",
        ),
        (
            "errors.zzzz=1",
            "errors.zzzz: unknown key; there are max_broken_percent, max_broken_shards, max_rejected_percent",
        ),
    ],
)
def test_an_unknown_key_names_the_nearest(job_file: Path, override: str, words: str) -> None:
    assert words in problem(job_file, override)


def test_a_wrong_value_is_shown_and_a_section_is_not(job_file: Path) -> None:
    assert (
        "model.batch_rows: Input should be a valid integer, unable to parse string as an integer, got 'many'"
        in problem(job_file, "model.batch_rows=many")
    )
    assert problem(job_file, "model.batch_rows={a: 1}").endswith(
        "model.batch_rows: Input should be a valid integer"
    )
    assert problem(job_file, "model.dtype=auto").endswith(
        "model: dtype: auto needs tuning_report, the file that pipelines.tune writes"
    )


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("sink=3", "sink: must be a section of keys and values, got 3"),
        ("sink=[a]", "sink: must be a section of keys and values"),
        ("source.paths=5", "source.paths: must be a list, got 5"),
        ("source.types=[a]", "source.types: must be a section of keys and values"),
        ("source.key=[a]", "source.key: must be a text"),
        ("source.key=no", "source.key: must be a text, got False; YAML takes a bare no"),
        ("source.key=2026-01-31", "source.key: must be a text, got 2026-01-31; YAML takes"),
        ("source.passthrough=[a, 12]", "source.passthrough.1: must be a text, got 12; YAML takes"),
    ],
)
def test_a_value_of_a_wrong_kind_is_told_in_words_of_yaml(
    job_file: Path, override: str, words: str
) -> None:
    told = problem(job_file, override)
    assert f": {words}" in told
    assert told.endswith("so put it in quotes") == ("YAML takes" in words)


def test_a_field_of_several_kinds_goes_by_its_name_alone() -> None:
    with pytest.raises(JobError) as caught:
        parse_fields(Job, "--set", [("onnx", "https://user:canary@host/m.onnx")])
    told = str(caught.value)
    assert "onnx: must hold no credentials" in told
    assert "onnx." not in told
    assert "function" not in told


def test_a_wrong_word_names_the_nearest_and_all(job_file: Path) -> None:
    message = problem(job_file, "model.dtype=bfloat")
    expected = "'float16' or 'auto', got 'bfloat'; did you mean bfloat16?"
    assert message.endswith(expected)
    assert "'float32'" in message
    # All stand there already.
    assert problem(job_file, "model.dtype=xyz").endswith("got 'xyz'")


def test_an_unknown_step_lists_the_steps(job_file: Path) -> None:
    message = problem(job_file, "preprocess.steps=[{step: fil, columns: [a]}]")
    assert "'fil'" in message
    assert "'fill'" in message


def test_all_errors_come_at_once(job_file: Path) -> None:
    message = problem(
        job_file,
        "model.batch_rows=0",
        "sink.format=xml",
        "sorce.key=x",
        "errors.max_rejected_percent=101",
    )
    for words in (
        "model.batch_rows",
        "got 0",
        "sink.format",
        "'xml'",
        "sorce: unknown key",
        "errors.max_rejected_percent",
    ):
        assert words in message


def test_a_list_is_said_to_be_short_only_where_nothing_else_is_wrong_with_it(
    job_file: Path,
) -> None:
    empty = problem(job_file, "source.paths=[]")
    assert empty.count("source.paths") == 1
    assert "at least 1 item" in empty
    blank = problem(job_file, "source.paths=['']")
    assert "source.paths.0: " in blank
    assert "at least 1 item" not in blank


def test_missing_keys_are_named(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("name: demo\nsource: {key: id}\n")
    message = problem(path)
    for words in (
        "source.paths: is required",
        "model: is required",
        "sink: is required",
        str(path),
    ):
        assert words in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: a\nsource: {paths: x}\nname: b\n", 3),
        ("source:\n  paths: a\n  key: x\n  paths: b\n", 4),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    message = problem(path)
    assert f"line {line}" in message
    assert "stands twice" in message


def test_a_double_key_in_set_is_refused(job_file: Path) -> None:
    assert "stands twice" in problem(job_file, "postprocess.rename={a: b, a: c}")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name: [", "not valid YAML"),
        (b"- a\n- b\n", "must be a mapping of keys to values, got list"),
        (b"", "must be a mapping of keys to values, got NoneType"),
        (b"name: \xff\xfe", "cannot be read"),
        (b"{[a]: 1}: 2\n", "not valid YAML"),
        (b"name: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
)
def test_what_is_not_a_yaml_mapping_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(content)
    assert words in problem(path)


def test_a_file_of_one_byte_too_many_is_refused_whole(tmp_path: Path) -> None:
    """It is not read to its end, and what was read of it is a job by itself."""
    path = tmp_path / "job.yaml"
    path.write_text(JOB + "#" * ((4 << 20) + 1 - len(JOB)))
    assert "is larger than 4 MiB" in problem(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "--config must name a YAML file" in problem(tmp_path / "none.yaml")
    assert "--config must name a YAML file" in problem(tmp_path)


def test_merge_keys_work(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(
        JOB
        + "errors:\n  <<: {max_rejected_rows: 3, max_rejected_percent: 1}\n  max_rejected_rows: 4\n"
    )
    errors = load(ScoringJob, str(path)).errors
    assert (errors.max_rejected_rows, errors.max_rejected_percent) == (4, 1.0)


def test_nearest_names_one_or_all_or_none() -> None:
    assert nearest("probabilty", ["probability", "label"]) == "; did you mean probability?"
    assert nearest("zzz", ["b", "a"]) == "; there are a, b"
    twenty = [f"column{i:02}" for i in range(20)]
    assert nearest("zzz", twenty) == "; there are " + ", ".join(twenty)
    assert nearest("zzz", [*twenty, "column20"]) == ""
    assert nearest(" LABEL", ["table", "label"]) == "; did you mean label?"
    assert nearest("zzz", []) == nearest_at_all("zzz", []) == ""
    assert nearest_at_all("LABEL", ["table", "label"]) == "; did you mean label?"
    many = [*twenty, "column20"]
    assert nearest_at_all("n20", many) == "; of 21 names the nearest is column20"


def test_a_job_that_is_not_there_is_told_in_the_words_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "no.yaml"
    reason = "cannot be read: No such file or directory; --config must name a YAML file"
    assert problem(path) == f"{path}: {reason}"
