from pathlib import Path
from typing import Any

from pydantic import ValidationError
import pytest

from configs.errors import JobError
from configs.fields import PICTURES
from configs.load import load
from pipelines.planning.jobs import ScoringJob


def job(**sections: Any) -> ScoringJob:
    fields: dict[str, Any] = {
        "name": "j",
        "source": {"paths": "a"},
        "model": {"package": "m"},
        "sink": {"path": "o"},
    }
    return ScoringJob.model_validate({**fields, **sections})


@pytest.mark.parametrize("path", ["configs/breast_cancer.yaml", "configs/digits.yaml"])
def test_the_example_jobs_load(path: str) -> None:
    assert load(ScoringJob, path).name in Path(path).stem


@pytest.mark.parametrize(
    ("source", "carried"),
    [
        ({"key": "id"}, ("id",)),
        ({"key": "id", "passthrough": ["a", "b"]}, ("id", "a", "b")),
        ({"key": "id", "passthrough": ["a", "id"]}, ("a", "id")),
        ({"passthrough": ["b", "a"]}, ("b", "a")),
        ({}, ()),
    ],
)
def test_the_key_is_always_carried_and_the_given_order_kept(
    source: dict[str, Any], carried: tuple[str, ...]
) -> None:
    assert job(source={"paths": "a", **source}).source.carried == carried


@pytest.mark.parametrize(
    "sections",
    [
        {"name": "with space"},
        {"name": "../x"},
        {"source": {"paths": []}},
        {"source": {"paths": ""}},
        {"model": {"package": ""}},
        {"sink": {"path": ""}},
        {"source": {"paths": "a", "csv": {"delimiter": ",,"}}},
        {"source": {"paths": "a", "rows_per_batch": 0}},
        {"model": {"package": "m", "device": "tpu"}},
        {"model": {"package": "m", "dtype": "float16"}},
        {"postprocess": {"threshold": 1.5}},
        {"postprocess": {"top_k": 0}},
        {"sink": {"path": "o", "rows_per_file": 0}},
        {"errors": {"max_rejected_rows": -1}},
        {"errors": {"max_rejected_percent": 100.1}},
    ],
)
def test_values_outside_their_range_are_refused(sections: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        job(**sections)


# What a 64-bit integer holds.
MOST = 9_223_372_036_854_775_807
EDGES: list[tuple[str, list[Any], list[Any]]] = [
    ("source.rows_per_batch", [1, None], [0]),
    ("source.max_expansion", [1, None], [0]),
    ("source.files.max_bytes", [1, 1 << 30], [0, (1 << 30) + 1]),
    ("source.files.suffixes", [(".png",), (), None], [3]),
    ("source.files.content", ["photo"], ["", "path", "size"]),
    ("source.csv.delimiter", [";", "\t"], ["", ";;"]),
    ("source.csv.quote", ["'", None], ["", "''"]),
    ("source.csv.escape", ["\\", None], ["", "\\\\"]),
    ("source.csv.double_quote", [True, False], ["both"]),
    ("source.csv.decimal", [".", ","], ["", "point", ";"]),
    ("model.batch_rows", [1, None], [0]),
    ("model.timeout_seconds", [0.001], [0, -1]),
    ("model.tolerance.max_difference", [0, 7], [-0.001]),
    ("model.tolerance.label_agreement", [0, 1], [-0.001, 1.001]),
    ("model.tolerance.cosine", [-1, 1], [-1.001, 1.001]),
    ("postprocess.threshold", [0, 1], [-0.001, 1.001]),
    ("postprocess.top_k", [1], [0]),
    ("sink.rows_per_file", [1], [0]),
    ("errors.max_rejected_rows", [0, MOST], [-1, MOST + 1]),
    ("errors.max_rejected_percent", [0, 100], [-0.001, 100.001]),
    ("errors.max_broken_shards", [0, MOST], [-1, MOST + 1]),
    ("errors.max_broken_percent", [0, 100], [-0.001, 100.001]),
    (
        "model.device",
        ["cpu", "cuda", "cuda:0", "cuda:12", "auto"],
        ["cuda:", "cuda:x", "gpu", "cpu "],
    ),
]


def with_field(path: str, value: Any) -> ScoringJob:
    """The job with one field, `section.field` or deeper."""
    first, *rest = path.split(".")
    fields: dict[str, Any] = {
        "source": {"paths": "a"},
        "model": {"package": "m"},
        "sink": {"path": "o"},
    }.get(first, {})
    section = fields
    for name in rest[:-1]:
        section = section.setdefault(name, {})
    section[rest[-1]] = value
    return job(**{first: fields})


@pytest.mark.parametrize(("path", "taken", "refused"), EDGES, ids=[path for path, _, _ in EDGES])
def test_the_last_value_that_is_taken_and_the_first_that_is_not(
    path: str, taken: list[Any], refused: list[Any]
) -> None:
    for value in taken:
        found: Any = with_field(path, value)
        for name in path.split("."):
            found = getattr(found, name)
        assert found == value
    for value in refused:
        with pytest.raises(ValidationError):
            with_field(path, value)


@pytest.mark.parametrize(("format", "field"), [("delta", "version"), ("iceberg", "snapshot")])
def test_a_state_of_a_table_is_named_from_0_to_the_most_of_64_bits(format: str, field: str) -> None:
    for value in (0, MOST):
        source = job(source={"paths": "t", "format": format, field: value}).source
        assert getattr(source, field) == value
    for value in (-1, MOST + 1):
        with pytest.raises(ValidationError, match=field):
            job(source={"paths": "t", "format": format, field: value})


def test_what_a_job_does_that_says_nothing() -> None:
    """A default decides the content of files, and so the id of a run: none changes by the way."""
    assert job().model_dump(exclude={"name"}) == {
        "source": {
            "paths": ("a",),
            "recursive": False,
            "format": "parquet",
            "key": None,
            "passthrough": (),
            "types": {},
            "partitions": None,
            "where": None,
            "csv": {
                "delimiter": ",",
                "encoding": "utf-8",
                "null_values": ("",),
                "newlines_in_values": True,
                "quote": '"',
                "escape": None,
                "double_quote": True,
                "decimal": ".",
            },
            "files": {"suffixes": PICTURES, "content": "bytes", "max_bytes": 64 << 20},
            "version": None,
            "snapshot": None,
            "ref": None,
            "timestamp": None,
            "catalog": None,
            "outside": (),
            "rows_per_batch": None,
            "max_expansion": None,
            "sparse": (),
        },
        "preprocess": {"steps": (), "modules": ()},
        "model": {
            "package": "m",
            "modules": (),
            "device": "cpu",
            "engine": "auto",
            "fallback": False,
            "dtype": "float32",
            "tuning_report": None,
            "tolerance": {"max_difference": 0.01, "label_agreement": 0.995, "cosine": 0.999},
            "batch_rows": None,
            "not_finite": "reject",
            "timeout_seconds": 600.0,
            "protocol": None,
            "url": None,
            "name": None,
            "version": None,
            "columns": {},
            "inputs": {},
            "outputs": {},
            "server": {
                "ca": None,
                "certificate": None,
                "key": None,
                "token_variable": None,
                "token_file": None,
                "deadline_seconds": 30.0,
                "patience_seconds": 60.0,
                "max_in_flight": None,
            },
        },
        "postprocess": {
            "activation": "auto",
            "keep": None,
            "labels": None,
            "threshold": 0.5,
            "thresholds": {},
            "top_k": 1,
            "where": None,
            "sort_by": (),
            "rename": {},
            "dtypes": {},
            "model_columns": False,
        },
        "sink": {
            "path": "o",
            "format": "parquet",
            "rows_per_file": 1_000_000,
            "partition_by": (),
            "escape_formulas": False,
            "source_columns": False,
        },
        "errors": {
            "max_rejected_rows": 0,
            "max_rejected_percent": 0.0,
            "max_broken_shards": 0,
            "max_broken_percent": 0.0,
            "store_values": False,
        },
        "checks": {},
        "monitor": {
            "summaries": (),
            "reference": None,
            "columns": {},
            "scores": dict.fromkeys(
                ("psi", "js", "ks", "chi2", "missing", "new", "label_share"), None
            ),
            "rows": {"fewer_than": None, "more_than": None},
            "modules": (),
            "report": False,
            "report_values": False,
            "every_row": False,
        },
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dtype": "auto"}, "dtype: auto needs tuning_report"),
        ({"dtype": "auto", "tuning_report": "c.json"}, None),
        ({"dtype": "float32", "tuning_report": "c.json"}, None),
        ({"dtype": "auto", "certificate": "c.json"}, None),  # the old name
        (
            {"dtype": "auto", "tuning_report": "c.json", "certificate": "c.json"},
            "certificate is the old name of tuning_report",
        ),
        ({"dtype": "int8"}, "int8 needs numbers that are measured on the job's rows; set auto"),
        ({"dtype": "int8_linear"}, "and run pipelines.tune, which tries int8"),
        ({"dtype": "float16"}, "float16 is for CUDA"),
        ({"dtype": "float16", "device": "cuda:1"}, None),
        ({"dtype": "float16", "device": "auto"}, None),
        ({"dtype": "bfloat16"}, None),
    ],
)
def test_which_settings_of_a_model_go_together(fields: dict[str, str], words: str | None) -> None:
    if words is None:
        assert job(model={"package": "m", **fields}).model.dtype == fields["dtype"]
        return
    with pytest.raises(ValidationError, match=words):
        job(model={"package": "m", **fields})


def test_a_job_is_frozen() -> None:
    with pytest.raises(ValidationError):
        job().name = "other"  # type: ignore[misc]


def test_one_sort_column_may_stand_alone() -> None:
    assert job(postprocess={"sort_by": "p desc"}).postprocess.sort_by == ("p desc",)


def test_a_job_step_must_be_complete() -> None:
    with pytest.raises(
        ValidationError, match=r"step 1 \(standardise\) must name its columns and state its values"
    ):
        job(
            preprocess={
                "steps": [
                    {"step": "fill", "columns": ["a"], "values": [0]},
                    {"step": "standardise", "columns": ["a"]},
                ]
            }
        )


def test_functions_come_from_listed_modules_only() -> None:
    steps = [{"step": "function", "function": "my.module:f"}]
    with pytest.raises(ValidationError, match=r"preprocess.modules does not list my\.module"):
        job(preprocess={"steps": steps, "modules": ["my"]})
    assert (
        job(preprocess={"steps": steps, "modules": ["my.module"]}).preprocess.steps[0].step
        == "function"
    )


@pytest.mark.parametrize("key", ["source.paths", "model.package", "sink.path"])
def test_credentials_in_a_url_are_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(JobError, match=f"{key}.*must hold no credentials") as refused:
        load(ScoringJob, "configs/breast_cancer.yaml", [(key, "s3://AKIA1:canary@bucket/x")])
    assert "canary" not in str(refused.value)
    load(ScoringJob, "configs/breast_cancer.yaml", [(key, "s3://bucket/a@b")])


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:secret@bucket/a",
        "s3://key:sec/ret@bucket/a",
        "https://user@host/a",
        "simplecache::s3://key:secret@bucket/a",
        "https://account.blob/b/a.parquet?sv=1&sig=abc",
        "https://host/part-?.parquet?X-Amz-Signature=abc",
    ],
)
@pytest.mark.parametrize("field", ["source.paths", "model.package", "sink.path"])
def test_a_url_that_carries_a_secret_is_refused_and_not_repeated(
    tmp_path: Path, field: str, url: str
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("name: a\nsource: {paths: x}\nmodel: {package: m}\nsink: {path: s}\n")
    with pytest.raises(JobError) as caught:
        load(ScoringJob, str(path), [(field, f"'{url}'")])
    assert "must hold no credentials" in str(caught.value)
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/day=?/part-?.parquet",
        "hdfs://name:8020/a@b",
        "gs://bucket/a@b/c=d",
        "/data/a?b=c",
        "s3://bucket/a:b@c",
    ],
)
def test_a_url_that_carries_none_is_taken(tmp_path: Path, url: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("name: a\nsource: {paths: x}\nmodel: {package: m}\nsink: {path: s}\n")
    assert load(ScoringJob, str(path), [("source.paths", f"'{url}'")]).source.paths == (url,)


@pytest.mark.parametrize(("format", "name"), [("delta", "version"), ("iceberg", "snapshot")])
def test_numbers_of_versions_begin_with_0(format: str, name: str) -> None:
    source = {"paths": "a", "format": format}
    assert getattr(job(source={**source, name: 0}).source, name) == 0
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        job(source={**source, name: -1})


LOAD = {"step": "load_file", "column": "path", "root": "r", "into": "photo"}
LOAD_MORE = {**LOAD, "into": "map"}
FILL = {"step": "fill", "columns": ["x"], "values": [0]}


@pytest.mark.parametrize("steps", [[LOAD], [LOAD, FILL], [LOAD, LOAD_MORE, FILL], [FILL, FILL]])
def test_files_are_loaded_before_all_other_steps(steps: list[dict[str, Any]]) -> None:
    made = job(preprocess={"steps": steps}).preprocess.steps
    assert [step.step for step in made] == [step["step"] for step in steps]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([FILL, LOAD], "must stand before the other steps"),
        ([LOAD, FILL, LOAD_MORE], "must stand before the other steps"),
        ([LOAD, LOAD], "make the same column"),
    ],
)
def test_files_that_are_loaded_behind_other_steps_or_twice_are_refused(
    steps: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        job(preprocess={"steps": steps})
