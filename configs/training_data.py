"""The rows of a training job: where they are, what their columns mean, and how they are split."""

from collections.abc import Iterable
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from configs.csv_text import Csv
from configs.fields import AnyNames, Length, Names, Paths, Scalar, SomeNames, TimeUnit
from configs.missing import Missing, list_exceptions, refuse_contradictions

Fraction: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Part: TypeAlias = Literal["training", "validation", "test"]
How: TypeAlias = Literal["random", "stratified", "time", "group", "fixed"]


def _to_text(value: object) -> object:
    """Return a label as the text that scores have of it: YAML reads `false` and 0 as no texts."""
    # Before integers, as Python's truth values are integers.
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    # pydantic refuses what is no text.
    return value


def _to_texts(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(map(_to_text, value))
    return value


Labels: TypeAlias = Annotated[Names, BeforeValidator(_to_texts)]


class _Section(BaseModel):
    # An unknown key is a misspelt one, and what it was meant to say would be lost in silence.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(_Section):
    """Rows with their labels, and what their columns are.

    Attributes:
        paths: Parquet or CSV files, folders, globs, on disks and object stores; with `format: files`
            folders of pictures, in a folder for each class (`cats/1.png`), which is the label.
        dataset: in place of paths, a data set that scikit-learn bundles.
        format: `files` for folders of pictures; other files are told apart by their names.
        csv: what the text of CSV files means, as `source.csv` of a scoring job.
        key: column that names a row.
        label: column to predict; several of 0 and 1 for labels of which a row may have any number,
            or several numbers.
        labels: values by class number; for two, [negative, positive]. By default all that there are.
        features: columns that the model sees, in this order; by default all others that it can see.
        group: column of which no value is in two parts of the split.
        time: column that says when a row was; the latest rows are the test.
        missing: what a missing feature does when the model scores: `reject` its row, stop with an
            `error` (the default of a bundled data set), or `fill` where a step fills it; a word for all
            features, or words by feature and one for all others, `{default: fill, age: reject}`. What
            a `fill` step fills needs no word.
        fill: features whose missing values are replaced instead, each with its value.
        numbers: features of dates, times or durations that are taken as a number of a unit.
        lengths: features of lists, each with the length that shorter ones are padded to.
        cut: features of lists that are cut at that length; others reject their row.
    """

    paths: Paths = ()
    dataset: str | None = None
    format: Literal["files"] | None = None
    csv: Csv | None = None
    key: str | None = None
    label: AnyNames = ()
    labels: Labels = ()
    features: SomeNames | None = None
    group: str | None = None
    time: str | None = None
    missing: Missing = {}
    fill: dict[str, Scalar] = {}
    numbers: dict[str, TimeUnit] = {}
    lengths: dict[str, Length] = {}
    cut: Names = ()

    @model_validator(mode="after")
    def _is_of_one_place(self) -> "Data":
        if self.paths and self.dataset is not None:
            raise ValueError("paths and dataset: the rows come from one of them")
        return self

    @model_validator(mode="after")
    def _names_fit_together(self) -> "Data":
        _refuse_doubles("label", self.label)
        _refuse_doubles("labels", self.labels)
        refuse_contradictions(self.missing, self.fill)
        key = self.key
        if key in self.label:
            raise ValueError(f"key and label are both {key!r}: a row is named by another column")
        # By default the features are all columns but key and label, and any of those may be filled.
        if self.features is not None:
            self._check_features(self.features)
        return self

    def _check_features(self, features: Names) -> None:
        """Refuse features that the model must not see, and settings of columns that are none."""
        _refuse_doubles("features", features)
        hidden = {self.key, *self.label}
        for name in sorted(features):
            if name in hidden:
                raise ValueError(
                    f"features must not hold {name!r}: "
                    "a model that sees key or label learns nothing"
                )
        _refuse_strangers("fill", self.fill, features)
        _refuse_strangers("missing", list_exceptions(self.missing), features)
        _refuse_strangers("numbers", self.numbers, features)
        _refuse_strangers("lengths", self.lengths, features)
        _refuse_strangers("cut", self.cut, features)


def _refuse_doubles(what: str, names: Names) -> None:
    for name in sorted(names):
        count = names.count(name)
        if count > 1:
            raise ValueError(f"{what} holds {name!r} twice")


def _refuse_strangers(field: str, names: Iterable[str], features: Names) -> None:
    known = set(features)
    for name in names:
        if name not in known:
            raise ValueError(f"{field} names {name!r}, which is not one of features")


class Split(_Section):
    """Which rows are for what; `training` is what remains.

    Attributes:
        by: `stratified`, each part with the same share of each label (the default of a
            classification); `random` (of others); `time`, the latest rows are the test and those
            before them the validation; `group`, no group in two parts; `fixed`, as a column says or
            as the files do.
        validation, test: shares of the rows.
        column: of `fixed`: the column that says the part of a row.
        values: of `fixed`: the parts, each with the values of that column; by default `training` (or
            train), `validation` (or valid, val) and `test`.
        validation_paths, test_paths: of `fixed`: files with the rows of a part, where `data.paths` are
            the others.
        seed: of what is drawn; by default `training.seed`.
    """

    by: How | None = None
    validation: Fraction = 0.15
    test: Fraction = 0.25
    column: str | None = None
    values: dict[Part, Labels] = {}
    validation_paths: Paths = ()
    test_paths: Paths = ()
    # What numpy's generators take.
    seed: int | None = Field(default=None, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> "Split":
        held_out = self.validation + self.test
        if held_out >= 1:
            raise ValueError(f"validation + test must be < 1, got {held_out:g}")
        return self

    @model_validator(mode="after")
    def _is_fixed_by_one_thing(self) -> "Split":
        has_paths = bool(self.validation_paths or self.test_paths)
        has_column = self.column is not None
        if has_column and has_paths:
            raise ValueError("column and paths: one of them says which part a row is in")

        is_fixed = has_column or has_paths
        # `by` may be left out: nothing else can be meant.
        if is_fixed and self.by not in (None, "fixed"):
            raise ValueError(f"by {self.by}: column and paths are for by: fixed")
        if self.by == "fixed" and not is_fixed:
            raise ValueError("by fixed needs column, or validation_paths and test_paths")

        if self.values and not has_column:
            raise ValueError("values are those of column, which is not there")
        return self
