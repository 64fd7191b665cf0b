from pathlib import Path
from typing import Any

from pydantic import ValidationError
import pytest

from configs.errors import JobError
from configs.job import Job
from configs.load import load


def job(**sections: Any) -> Job:
    fields: dict[str, Any] = {"name": "j", "source": {"paths": "a"}, "model": {"package": "m"}, "sink": {"path": "o"}}
    return Job.model_validate({**fields, **sections})


@pytest.mark.parametrize("path", ["configs/breast_cancer.yaml", "configs/digits.yaml"])
def test_the_example_jobs_load(path: str) -> None:
    assert load(Job, path).name in Path(path).stem


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
def test_the_key_is_always_carried_and_the_given_order_kept(source: dict[str, Any], carried: tuple[str, ...]) -> None:
    assert job(source={"paths": "a", **source}).source.carried == carried


@pytest.mark.parametrize(
    "sections",
    [
        {"name": "with space"},
        {"name": "../x"},
        {"source": {"paths": []}},
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


def test_a_job_is_frozen() -> None:
    with pytest.raises(ValidationError):
        job().name = "other"  # type: ignore[misc]


def test_one_sort_column_may_stand_alone() -> None:
    assert job(postprocess={"sort_by": "p desc"}).postprocess.sort_by == ("p desc",)


def test_a_job_step_must_be_complete() -> None:
    with pytest.raises(ValidationError, match=r"step 1 \(standardise\) must state its values"):
        job(preprocess={"steps": [{"step": "fill", "columns": ["a"], "values": [0]}, {"step": "standardise", "columns": ["a"]}]})


def test_functions_come_from_listed_modules_only() -> None:
    steps = [{"step": "function", "function": "my.module:f"}]
    with pytest.raises(ValidationError, match=r"preprocess.modules does not list my\.module"):
        job(preprocess={"steps": steps, "modules": ["my"]})
    assert job(preprocess={"steps": steps, "modules": ["my.module"]}).preprocess.steps[0].step == "function"


@pytest.mark.parametrize("key", ["source.paths", "model.package", "sink.path"])
def test_credentials_in_a_url_are_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(JobError, match=f"{key}.*must hold no credentials") as refused:
        load(Job, "configs/breast_cancer.yaml", [(key, "s3://AKIA1:canary@bucket/x")])
    assert "canary" not in str(refused.value)
    load(Job, "configs/breast_cancer.yaml", [(key, "s3://bucket/a@b")])


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
def test_a_url_that_carries_a_secret_is_refused_and_not_repeated(tmp_path: Path, field: str, url: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("name: a\nsource: {paths: x}\nmodel: {package: m}\nsink: {path: s}\n")
    with pytest.raises(JobError) as caught:
        load(Job, str(path), [(field, f"'{url}'")])
    assert "must hold no credentials" in str(caught.value)
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["s3://bucket/day=?/part-?.parquet", "hdfs://name:8020/a@b", "gs://bucket/a@b/c=d", "/data/a?b=c", "s3://bucket/a:b@c"]
)
def test_a_url_that_carries_none_is_taken(tmp_path: Path, url: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("name: a\nsource: {paths: x}\nmodel: {package: m}\nsink: {path: s}\n")
    assert load(Job, str(path), [("source.paths", f"'{url}'")]).source.paths == (url,)
