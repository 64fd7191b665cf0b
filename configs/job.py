"""A scoring job: what one YAML file says. Only `pipelines/` sees it; every other room gets plain parameters."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from configs.steps import Step

# `user@`, or `key:secret@` with a secret that may hold slashes but is no port; or a query that signs.
_SECRET = re.compile(r"://(?:[^/]*@|[^/:@]*:(?!\d{1,5}/)[^@]*@|.*\?[^/?]*=)")


def holds_credentials(url: str) -> bool:
    """Whether a URL names a user, or is signed."""
    return _SECRET.search(url) is not None


def _without_credentials(url: str) -> str:
    """Refuse `scheme://user:password@...` and `...?sig=...`: a job is copied into manifests, logs and messages."""
    if holds_credentials(url):
        raise PydanticCustomError("secret", "must hold no credentials; put them where the store's own library looks for them")
    return url


Count = Annotated[int, Field(ge=1)]
Url = Annotated[str, AfterValidator(_without_credentials)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Csv(_Section):
    """What a CSV file's text means.

    Attributes:
        encoding: one that Python knows, `utf-16` or `latin-1` for example.
        newlines_in_values: false declares that no value holds a line break. A large file is then scored by several workers, in
            pieces, once the launcher has read it to count its rows; compressed files, and encodings of several bytes other than UTF-8,
            stay whole. Where a piece has such a value all the same, the run is refused.
    """

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8"
    null_values: tuple[str, ...] = ("",)
    newlines_in_values: bool = True


class Source(_Section):
    """Where rows come from.

    Attributes:
        paths: files, folders and globs, local or fsspec URLs.
        key: column that names a row; in every output file and every rejected row.
        passthrough: columns to copy to the output unchanged, in this order; the key comes first if it is not among them.
        types: Arrow types of key and pass-through columns; a CSV source must declare them.
        rows_per_batch: rows that travel together; by default as many as make 64 MiB of network input, at most 65 536.
        max_expansion: how many times its stored size a file may hold, decoded, before it is refused as a bomb; by default 1 000
            for Parquet and 200 for compressed CSV.
    """

    paths: Annotated[tuple[Url, ...], Field(min_length=1)]
    format: Literal["parquet", "csv"] = "parquet"
    key: str | None = None
    passthrough: tuple[str, ...] = ()
    types: dict[str, str] = {}
    csv: Csv = Csv()
    rows_per_batch: Count | None = None
    max_expansion: Count | None = None

    @field_validator("paths", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @property
    def carried(self) -> tuple[str, ...]:
        """Key and pass-through columns, in output order."""
        first = (self.key,) if self.key is not None and self.key not in self.passthrough else ()
        return (*first, *self.passthrough)


class Preprocess(_Section):
    """What the model package does not already carry: steps that run before its own.

    Attributes:
        modules: modules from which `function` steps, of the job or of the package, may come.
    """

    steps: tuple[Step, ...] = ()
    modules: tuple[str, ...] = ()

    @field_validator("steps")
    @classmethod
    def _complete(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        for number, step in enumerate(steps):
            if not step.is_fitted:
                raise ValueError(f"step {number} ({step.step}) must state its values; only a model package carries fitted ones")
        return steps


class Tolerance(_Section):
    """How far scores of faster settings may be from those of float32, eager, for `pipelines.tune` to keep them.

    Attributes:
        max_difference: of a probability; of outputs without activation relative to the largest value.
        label_agreement: share of rows whose label must be the same; for models with an activation.
        cosine: of each row's output vector with that of float32; for models of vectors without activation.
    """

    max_difference: Annotated[float, Field(ge=0)] = 0.01
    label_agreement: Annotated[float, Field(ge=0, le=1)] = 0.995
    cosine: Annotated[float, Field(ge=-1, le=1)] = 0.999


class Model(_Section):
    """Which model, and how it computes.

    Attributes:
        device: `cuda` (all CUDA devices of a machine, workers in turn) or `cuda:1` without such a device is an error; `auto` takes
            what is there.
        dtype: `auto` is what `certificate` says was fastest, and float32 while there is no such file.
        certificate: the file in which `pipelines.tune` leaves the settings that are fastest on this kind of machine, and how far
            their scores are from those of float32.
        tolerance: what `pipelines.tune` may choose, and what `auto` may use.
        batch_rows: rows of each mini-batch, the last one padded; by default as many as make 512 KiB of network input, 32 to 4 096.
        not_finite: what a NaN or infinite score does: `reject` its row, `fail` the run, or `pass` as it is.
        timeout_seconds: a mini-batch that takes longer ends the run, which can then be resumed.
    """

    package: Url
    device: Annotated[str, Field(pattern=r"^(cpu|cuda|cuda:\d+|auto)$")] = "cpu"
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    certificate: Url | None = None
    tolerance: Tolerance = Tolerance()
    batch_rows: Count | None = None
    not_finite: Literal["reject", "fail", "pass"] = "reject"
    timeout_seconds: Annotated[float, Field(gt=0)] = 600.0

    @model_validator(mode="after")
    def _goes_together(self) -> "Model":
        if self.dtype == "auto" and self.certificate is None:
            raise ValueError("dtype: auto needs certificate, the file that pipelines.tune writes")
        if self.dtype == "float16" and self.device == "cpu":
            raise ValueError("dtype: float16 is for CUDA; on a CPU use bfloat16")
        return self


class Postprocess(_Section):
    """Which score columns, and which rows.

    Attributes:
        activation: `auto` is what the package declares.
        keep: score columns to write, in this order; see `transforms/postprocess.py` for those that there are.
        labels: class names instead of the package's.
        threshold: sigmoid: from this probability on, a row is of the second class.
        top_k: softmax: length of `top_labels`, `top_classes`, `top_probabilities`.
        where: rows to keep, for example `probability >= 0.9`; the others are counted as filtered.
        sort_by: columns, each with ` desc` for descending; the order of rows inside an output file.
        rename: new names of score columns.
        dtypes: Arrow types of score columns, by new name.
        model_columns: write model_name, model_version and model_digest as columns too.
    """

    activation: Literal["auto", "sigmoid", "softmax", "none"] = "auto"
    keep: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    top_k: Count = 1
    where: str | None = None
    sort_by: tuple[str, ...] = ()
    rename: dict[str, str] = {}
    dtypes: dict[str, str] = {}
    model_columns: bool = False

    @field_validator("sort_by", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class Sink(_Section):
    """Where scores go: an output folder, local or an fsspec URL, which may hold many runs.

    Attributes:
        escape_formulas: CSV: put a `'` before texts that a spreadsheet would take for a formula (`=`, `+`, `-`, `@`, also wide, tab,
            return, line feed).
    """

    path: Url
    format: Literal["parquet", "csv"] = "parquet"
    rows_per_file: Count = 1_000_000
    escape_formulas: bool = False


class Errors(_Section):
    """How many rejected rows a run may have and still be published: as many as the larger of both allows.

    Attributes:
        store_values: keep what was read of a rejected row beside the reason, in the column `values` of the rejected file.
    """

    max_rejected_rows: Annotated[int, Field(ge=0)] = 0
    max_rejected_percent: Annotated[float, Field(ge=0, le=100)] = 0.0
    store_values: bool = False


class Job(_Section):
    """A whole scoring job."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    source: Source
    preprocess: Preprocess = Preprocess()
    model: Model
    postprocess: Postprocess = Postprocess()
    sink: Sink
    errors: Errors = Errors()

    @model_validator(mode="after")
    def _functions_are_allowed(self) -> "Job":
        for step in self.preprocess.steps:
            if step.step == "function" and step.module not in self.preprocess.modules:
                raise ValueError(f"preprocess.steps names {step.function}, but preprocess.modules does not list {step.module}")
        return self
