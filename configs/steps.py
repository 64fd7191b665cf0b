"""The words of preprocessing: one small frozen value per step, as a job or a model package writes it.

A step names columns and carries its own fitted state (`mean`, `categories`, ...). State that is None is still to be fitted by
training; a step that scoring meets must be complete (`is_fitted`). What a step does to columns is in `transforms/columns.py`,
`transforms/images.py` and `transforms/texts.py`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.user_modules import why_not

Scalar = bool | int | float | str
Columns = Annotated[tuple[str, ...], Field(min_length=1)]


class _Word(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def is_fitted(self) -> bool:
        """Whether every fitted value is there."""
        return True


class Fill(_Word):
    """Replace missing values (null; in floating columns NaN too) by one value per column.

    `strategy` is what training fits with scikit-learn's SimpleImputer; `constant` takes `values` as written.
    """

    step: Literal["fill"]
    columns: Columns
    strategy: Literal["constant", "mean", "median", "most_frequent"] = "constant"
    values: tuple[Scalar, ...] | None = None

    @property
    def is_fitted(self) -> bool:
        return self.values is not None

    @model_validator(mode="after")
    def _one_value_each(self) -> "Fill":
        if self.values is not None and len(self.values) != len(self.columns):
            raise ValueError(f"values must hold one value per column: {len(self.columns)} columns, {len(self.values)} values")
        if self.values is None and self.strategy == "constant":
            raise ValueError("values is required when strategy is constant")
        return self


class Scale(_Word):
    """`x * factor + offset`, column by column; fitted with scikit-learn's MinMaxScaler to `range`."""

    step: Literal["scale"]
    columns: Columns
    range: tuple[float, float] = (0.0, 1.0)
    factor: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None

    @property
    def is_fitted(self) -> bool:
        return self.factor is not None and self.offset is not None

    @model_validator(mode="after")
    def _one_value_each(self) -> "Scale":
        _check_lengths(self.columns, factor=self.factor, offset=self.offset)
        return self


class Standardise(_Word):
    """`(x - mean) / scale`, column by column; fitted with scikit-learn's StandardScaler."""

    step: Literal["standardise"]
    columns: Columns
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None

    @property
    def is_fitted(self) -> bool:
        return self.mean is not None and self.scale is not None

    @model_validator(mode="after")
    def _one_value_each(self) -> "Standardise":
        _check_lengths(self.columns, mean=self.mean, scale=self.scale)
        return self


class OneHot(_Word):
    """Each column becomes a (rows, categories) array of zeros and ones; fitted with scikit-learn's OneHotEncoder.

    `unknown` says what a value outside `categories`, or a missing one, does: `error` stops the run, `reject` rejects the row,
    `zeros` gives a row of zeros.
    """

    step: Literal["one_hot"]
    columns: Columns
    unknown: Literal["error", "reject", "zeros"]
    categories: tuple[tuple[Scalar, ...], ...] | None = None

    @property
    def is_fitted(self) -> bool:
        return self.categories is not None

    @model_validator(mode="after")
    def _one_list_each(self) -> "OneHot":
        _check_lengths(self.columns, categories=self.categories)
        return self


class Ordinal(_Word):
    """Each column becomes the index of its value in `categories`; fitted with scikit-learn's OrdinalEncoder.

    `unknown` is `error`, `reject`, or `code`: then the value becomes `unknown_code`.
    """

    step: Literal["ordinal"]
    columns: Columns
    unknown: Literal["error", "reject", "code"]
    unknown_code: int = -1
    categories: tuple[tuple[Scalar, ...], ...] | None = None

    @property
    def is_fitted(self) -> bool:
        return self.categories is not None

    @model_validator(mode="after")
    def _one_list_each(self) -> "Ordinal":
        _check_lengths(self.columns, categories=self.categories)
        return self


class Cast(_Word):
    """Each column becomes a numpy array of `dtype`; a value that does not fit rejects its row."""

    step: Literal["cast"]
    columns: Columns
    dtype: Literal["bool", "int8", "int16", "int32", "int64", "uint8", "float32", "float64"]


class Stack(_Word):
    """Columns, side by side, become the one array `into` of shape (rows, width)."""

    step: Literal["stack"]
    columns: Columns
    into: str
    dtype: Literal["float32", "float64", "int32", "int64"] = "float32"


class Image(_Word):
    """A binary column of encoded images becomes the array `into`, float32 of shape (rows, channels, height, width).

    Pixels are resized (bilinear), divided by 255, and normalised as `(pixel - mean) / std` per channel. An image of more than
    `max_pixels` is not decoded: its row is rejected.
    """

    step: Literal["image"]
    column: str
    into: str
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    mode: Literal["L", "RGB"] = "RGB"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    max_pixels: Annotated[int, Field(ge=1)] = 2**24

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> "Image":
        channels = 1 if self.mode == "L" else 3
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise ValueError(f"{name} must hold 1 or {channels} values for mode {self.mode}, got {len(values)}")
        if 0.0 in self.std:
            raise ValueError("std must not be 0")
        if self.height * self.width > self.max_pixels:
            raise ValueError(
                f"height x width must not be more than max_pixels, {self.max_pixels}, got {self.height} x {self.width}"
            )
        return self


class Tokenize(_Word):
    """A text column becomes the arrays `into` and `mask_into`, int64 of shape (rows, `max_tokens`): token numbers, and 1 where there is one.

    Longer texts are cut, and shorter ones are zeros from their end on. `tokenizer` is the content of a `tokenizer.json` of the
    tokenizers library. A missing text rejects its row.
    """

    step: Literal["tokenize"]
    column: str
    max_tokens: Annotated[int, Field(ge=1)]
    tokenizer: str
    into: str = "input_ids"
    mask_into: str = "attention_mask"


class Function(_Word):
    """A user's own vectorised function, `module:function`, from a module that the job lists in `preprocess.modules`.

    Modules of Python, of this program and of the libraries that it needs are not a user's own, and never called.

    `takes: arrow` is `pa.RecordBatch -> dict[str, np.ndarray]`, arrays (rows, ...) that are added to the columns;
    `takes: pandas` is `pd.DataFrame -> pd.DataFrame` with Arrow types and the same rows in the same order.
    """

    step: Literal["function"]
    function: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z]\w*$")]
    takes: Literal["arrow", "pandas"] = "arrow"

    @model_validator(mode="after")
    def _is_a_users_own(self) -> "Function":
        if reason := why_not(self.module):
            raise ValueError(f"function {self.function}: {reason}; name a function that you wrote, in a module of your own")
        return self

    @property
    def module(self) -> str:
        return self.function.partition(":")[0]


Step = Annotated[
    Fill | Scale | Standardise | OneHot | Ordinal | Cast | Stack | Image | Tokenize | Function,
    Field(discriminator="step"),
]


def _check_lengths(columns: tuple[str, ...], **state: tuple[object, ...] | None) -> None:
    for name, values in state.items():
        if values is not None and len(values) != len(columns):
            raise ValueError(f"{name} must hold one entry per column: {len(columns)} columns, {len(values)} entries")
