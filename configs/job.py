"""A scoring job: what one YAML file says.

Only `pipelines/` sees it; every other room gets plain parameters.
"""

from itertools import pairwise
from typing import Annotated, Any, Generic, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from configs.budget import Errors
from configs.checks import Checks
from configs.csv_text import Csv
from configs.fields import (
    MOST,
    PICTURES,
    Columns,
    Count,
    Length,
    Name,
    Names,
    Steps,
    StepT,
    Text,
    Url,
    Version,
    without_credentials_in_roots,
)
from configs.monitor import Monitor, SummaryT
from configs.server import Server, ServerProtocol, check_server_fields
from configs.table_choice import check_table_fields
from configs.tolerance import Tolerance

# Which steps, formats and engines there are is known where they are made: `pipelines` fills these in.
InputFormatT = TypeVar("InputFormatT", bound=str)
OutputFormatT = TypeVar("OutputFormatT", bound=str)
EngineT = TypeVar("EngineT", bound=str)
Threshold: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    # An unknown key is a misspelt one, and what it was meant to say would be lost in silence.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Files(_Section):
    """What of a folder of files is read: `format: files`.

    Attributes:
        suffixes: endings of the files that are rows, whatever their case; others are left out and
            counted. None for every file.
        content: name of the column of contents; the others are `path` and `size`.
        max_bytes: a larger file rejects its row.
    """

    suffixes: Names | None = PICTURES
    content: Text = "bytes"
    max_bytes: int = Field(default=64 << 20, ge=1, le=1 << 30)

    @field_validator("content")
    @classmethod
    def _is_another_column(cls, name: str) -> str:
        if name in ("path", "size"):
            raise ValueError(f"must be another name than {name}, which every file has")
        return name


class Source(_Section, Generic[InputFormatT]):
    """Where rows come from.

    Attributes:
        paths: files, folders and globs, local or fsspec URLs.
        recursive: read what is in folders below a folder too, and in folders that a glob matches;
            without it they are refused. Folders called `column=value` are always read.
        key: column that names a row; in every output file and every rejected row. Of files it is
            `path`, below the folder, unless another is named.
        passthrough: columns to copy to the output unchanged, in this order; the key comes first if
            it is not among them.
        types: Arrow types of key and pass-through columns, which files may hold in any form; a source
            of CSV or JSON lines must declare them, and who wants a column of folders called
            `column=value` without declaring `partitions`.
        where: rows to read, for example `region == 'north' and amount > 0`; the others are counted as
            left out. It may name any column of the files and of their folders.
        partitions: `hive` declares that the folders of all files are called `column=value`, all of
            the same columns: whose types need not be declared, and whose values those of the files
            must agree with where they have such a column, too.
        version: of a Delta table; the newest where neither this nor `timestamp` says otherwise.
        snapshot: of an Iceberg table, by its id.
        ref: of an Iceberg table, a branch or tag.
        timestamp: of a table, the version that was the newest at that time.
        catalog: of an Iceberg table that `paths` names in a catalog, `space.table`; what the catalog
            asks for is in pyiceberg's own settings.
        outside: folders in which files of a table may be beside its own folder.
        rows_per_batch: rows that travel together; by default as many as make 24 MiB of network
            input of a table, and 64 MiB of any other, at most 65 536.
        max_expansion: how many times its stored size a file may hold, decoded, before it is refused
            as a bomb; by default 1 000 for Parquet and 200 for compressed text.
        sparse: columns that all lines of a file of JSON lines may lack: writers leave out nulls.
    """

    paths: tuple[Url, ...] = Field(min_length=1)
    recursive: bool = False
    format: InputFormatT = Field(default="parquet", validate_default=True)
    key: str | None = None
    passthrough: Names = ()
    types: dict[str, str] = {}
    partitions: Literal["hive"] | None = None
    where: str | None = None
    csv: Csv = Csv()
    files: Files = Files()
    version: Annotated[int, Field(ge=0, le=MOST)] | None = None
    snapshot: Annotated[int, Field(ge=0, le=MOST)] | None = None
    ref: Text | None = None
    timestamp: AwareDatetime | None = None
    catalog: Name | None = None
    outside: tuple[Url, ...] = ()
    rows_per_batch: Count | None = None
    max_expansion: Count | None = None
    sparse: Names = ()

    @field_validator("paths", "outside", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if isinstance(value, str):
            return (value,)
        return value

    @model_validator(mode="after")
    def _is_one_moment_of_a_table(self) -> Self:
        check_table_fields(self.format, self.model_dump())
        return self

    @model_validator(mode="before")
    @classmethod
    def _name_files_by_path(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("format") == "files":
            return {"key": "path", **fields}
        return fields

    @property
    def carried(self) -> Names:
        """Return key and pass-through columns, in output order."""
        key = self.key
        passthrough = self.passthrough
        if key is None or key in passthrough:
            return passthrough
        return (key, *passthrough)


class Preprocess(_Section, Generic[StepT]):
    """What the model package does not already carry: steps that run before its own.

    Attributes:
        modules: modules from which `function` steps, of the job or of the package, may come.
    """

    steps: tuple[StepT, ...] = ()
    modules: Names = ()

    @field_validator("steps")
    @classmethod
    def _complete(cls, steps: Steps) -> Steps:
        # A job's steps have no data to be fitted on.
        for number, step in enumerate(steps):
            if not step.is_fitted:
                raise ValueError(
                    f"step {number} ({step.step}) must name its columns and state its values; "
                    "only a model package carries fitted ones"
                )
        return steps

    @field_validator("steps")
    @classmethod
    def _without_credentials(cls, steps: Steps) -> Steps:
        return without_credentials_in_roots(steps)

    @field_validator("steps")
    @classmethod
    def _files_come_first(cls, steps: Steps) -> Steps:
        names = [step.step for step in steps]
        # They are read with the rows, before any step.
        for before, name in pairwise(names):
            if name == "load_file" and before != "load_file":
                raise ValueError(
                    "load_file must stand before the other steps: it takes paths of the source"
                )
        made = [step.into for step in steps if step.step == "load_file"]
        different = set(made)
        if len(different) < len(made):
            raise ValueError("two load_file steps make the same column; give each its own into")
        return steps


class Model(_Section, Generic[EngineT]):
    """Which model, and how it computes.

    Attributes:
        modules: modules of your own from which the package's network may come.
        device: `cuda` (all CUDA devices of a machine, workers in turn) or `cuda:1` without such a
            device is an error; `auto` takes what is there.
        engine: the library that computes, with the file of the package that it reads. `auto` is the
            one of `tuning_report` with `dtype: auto`, and else torch where the package holds a
            network.
        fallback: where the library of the report's fastest setting is not installed, whether the
            fastest one of it that can run is used instead; without it that is an error.
        dtype: `auto` is what `tuning_report` says was fastest, and float32 while there is no such
            file.
        tuning_report: the file in which `pipelines.tune` leaves the settings that are fastest on
            this kind of machine, and how far their scores are from those of float32.
        certificate: the old name of `tuning_report`.
        tolerance: what `pipelines.tune` may choose, and what `auto` may use.
        batch_rows: rows of each mini-batch, the last one padded; by default as many as make 512 KiB
            of network input, 32 to 4 096.
        not_finite: what a NaN or infinite score does: `reject` its row, `fail` the run, or `pass`
            as it is.
        timeout_seconds: a mini-batch, a picture or 1 024 texts that take longer end the run, which
            can then be resumed.
        protocol, url: of the server that computes the model, in place of the package's own.
        name, version: of a server's model that has no package; without a version whichever answers
            when the run begins.
        columns: then, what the model sees: each column's Arrow type, in this order.
        inputs: then, the column that each input takes, or a list of those that are stacked for it.
        outputs: then, the sizes of a row of each output whose size the server does not tell.
        server: how the server is reached.
    """

    package: Url | None = None
    modules: Names = ()
    device: str = Field(default="cpu", pattern=r"^(cpu|cuda|cuda:\d+|auto)$")
    engine: EngineT = Field(default="auto", validate_default=True)
    fallback: bool = False
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    tuning_report: Url | None = None
    # Not written into manifests: it stays only to tell that a job still uses the old name.
    certificate: Url | None = Field(default=None, exclude=True)
    tolerance: Tolerance = Tolerance()
    batch_rows: Count | None = None
    not_finite: Literal["reject", "fail", "pass"] = "reject"
    timeout_seconds: float = Field(default=600.0, gt=0)
    protocol: ServerProtocol | None = None
    url: Url | None = None
    name: Text | None = None
    version: Version | None = None
    columns: dict[str, str] = {}
    inputs: dict[str, Columns] = {}
    outputs: dict[str, tuple[Length, ...]] = {}
    server: Server = Server()

    @field_validator("dtype", mode="before")
    @classmethod
    def _is_not_measured(cls, dtype: Any) -> Any:
        # Both are, or were, among the words of tuning's tables.
        if dtype in ("int8", "int8_linear"):
            raise ValueError(
                f"{dtype} needs numbers that are measured on the job's rows; set auto, name a "
                "tuning_report, and run pipelines.tune, which tries int8"
            )
        return dtype

    @model_validator(mode="before")
    @classmethod
    def _take_old_name(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        if fields.get("certificate") is None:
            return fields
        if fields.get("tuning_report") is not None:
            raise ValueError("certificate is the old name of tuning_report; leave certificate out")
        return {**fields, "tuning_report": fields["certificate"]}

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.dtype == "auto" and self.tuning_report is None:
            raise ValueError("dtype: auto needs tuning_report, the file that pipelines.tune writes")
        # Most CPUs compute 16-bit floats of this kind by way of 32 bits, which is slower than
        # those.
        if self.dtype == "float16" and self.device == "cpu":
            raise ValueError("dtype: float16 is for CUDA; on a CPU use bfloat16")
        check_server_fields(self.engine, self.model_dump())
        return self


class Postprocess(_Section):
    """Which score columns, and which rows.

    Attributes:
        activation: `auto` is what the package declares.
        keep: score columns to write, in this order; see `transforms/score_columns.py` for those
            that there are.
        labels: class names instead of the package's.
        threshold: sigmoid: from this probability on, a row is of the second class, or has a label.
        thresholds: sigmoid over several labels: by label, of those that have another threshold.
        top_k: length of `top_labels`, `top_classes`, `top_probabilities`.
        where: rows to keep, for example `probability >= 0.9`; the others are counted as filtered.
        sort_by: columns, each with ` desc` for descending; the order of rows inside an output file.
        rename: new names of score columns.
        dtypes: Arrow types of score columns, by new name.
        model_columns: write model_name, model_version and model_digest as columns too.
    """

    activation: Literal["auto", "sigmoid", "softmax", "none"] = "auto"
    keep: Names | None = None
    labels: Names | None = None
    threshold: Threshold = 0.5
    thresholds: dict[str, Threshold] = {}
    top_k: Count = 1
    where: str | None = None
    sort_by: Names = ()
    rename: dict[str, str] = {}
    dtypes: dict[str, str] = {}
    model_columns: bool = False

    @field_validator("sort_by", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if isinstance(value, str):
            return (value,)
        return value


class Sink(_Section, Generic[OutputFormatT]):
    """Where scores go: an output folder, local or an fsspec URL, which may hold many runs.

    Attributes:
        partition_by: carried columns that stand in the names of folders, and not in the files, as Hive
            and Spark write them: `dt=2026-01-01/`.
        escape_formulas: CSV: put a `'` before texts that a spreadsheet would take for a formula
            (`=`, `+`, `-`, `@`, also wide, tab, return, line feed).
        source_columns: write `source_file` and `source_row`, the input file of each row and its
            number there (from 0), as columns too.
    """

    path: Url
    format: OutputFormatT = Field(default="parquet", validate_default=True)
    rows_per_file: Count = 1_000_000
    partition_by: Names = ()
    escape_formulas: bool = False
    source_columns: bool = False


class Job(_Section, Generic[StepT, InputFormatT, OutputFormatT, EngineT, SummaryT]):
    """A whole scoring job."""

    name: Name
    source: Source[InputFormatT]
    # Validated, because only the class with its steps filled in can make the default.
    preprocess: Preprocess[StepT] = Field(default={}, validate_default=True)
    model: Model[EngineT]
    postprocess: Postprocess = Postprocess()
    sink: Sink[OutputFormatT]
    errors: Errors = Errors()
    checks: Checks = {}
    monitor: Monitor[SummaryT] = Field(default={}, validate_default=True)

    @property
    def users_modules(self) -> Names:
        """Return the modules of users' own that a run may import; no other code of theirs runs."""
        return (*self.preprocess.modules, *self.model.modules, *self.monitor.modules)

    @model_validator(mode="after")
    def _functions_are_allowed(self) -> Self:
        preprocess = self.preprocess
        steps: Steps = preprocess.steps
        for step in steps:
            # Only steps that run a user's own code have one.
            module = getattr(step, "module", None)
            if module is not None and module not in preprocess.modules:
                raise ValueError(
                    f"preprocess.steps names {step.function}, "
                    f"but preprocess.modules does not list {module}"
                )
        return self


# A job whatever its steps and engines, for whoever looks at none of them. A text, as pydantic would make a class of it.
AnyJob: TypeAlias = "Job[Any, str, str, str, str]"
