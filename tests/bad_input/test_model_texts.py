"""A text that the model takes comes in every form, and scores as plain texts do; carried, it keeps its form."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from model_zoo.steps.encode import Ordinal
from model_zoo.steps.stack import Stack
from tests.support.builders import parquet, tiny_network, tiny_package
from tests.support.jobs import Outcome, write_job, write_parquet

Score = Callable[..., Outcome]
COLOURS = ("red", "green", "blue")
TEXTS = pa.array(["red", None, "blue", "green"])
FORMS = {
    "string": TEXTS,
    "large_string": TEXTS.cast(pa.large_string()),
    "string_view": TEXTS.cast(pa.string_view()),
    "dictionary": TEXTS.dictionary_encode(),
    "small dictionary": TEXTS.cast(pa.dictionary(pa.int8(), pa.string())),
    "ordered dictionary": TEXTS.cast(pa.dictionary(pa.uint32(), pa.string(), ordered=True)),
}
CODES = [0, None, 2, 1]
NUMBERS = [1.5, 2.5, 0.0, -1.0]


def logits(codes: list[int]) -> np.ndarray:
    """What the network gives for colours by their numbers, computed without the program."""
    x = np.array([codes, NUMBERS[: len(codes)]], np.float32).T
    with torch.inference_mode():
        return tiny_network(features=2)(x=torch.from_numpy(np.ascontiguousarray(x)))[
            "logit"
        ].numpy()


def job_for(folder: Path, dtype: str, missing: str) -> Path:
    """A job whose model takes a colour and a number; a missing colour is blue, or rejects its row."""
    x = np.array([[0, 1, 2], NUMBERS[:3]], np.float32).T
    smoke = pa.table(
        {
            "s": pa.array(COLOURS, pa.type_for_alias(dtype)),
            "a": x[:, 1],
            "input.x": pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 2),
            "output.logit": logits([0, 1, 2]),
        }
    )
    colour = {"name": "s", "type": dtype, "missing": missing}
    if missing == "fill":
        colour["fill"] = "blue"
    ordinal = Ordinal(step="ordinal", columns=("s",), unknown="error", categories=(COLOURS,))
    package = tiny_package(
        folder / "model",
        network=tiny_network(features=2),
        features=("s", "a"),
        contents={"smoke.parquet": parquet(smoke)},
        columns=[colour, {"name": "a", "type": "float", "missing": "error"}],
        steps=(ordinal, Stack(step="stack", columns=("s", "a"), into="x")),
    )
    return write_job(folder, package, postprocess={"activation": "none", "keep": ["logit"]})


def shard(path: Path, form: str, first: int = 0) -> Path:
    ids = pa.array(range(first, first + 4), pa.int64())
    numbers = pa.array(NUMBERS, pa.float32())
    return write_parquet(path, pa.table({"id": ids, "s": FORMS[form], "a": numbers}))


@pytest.mark.parametrize(
    ("dtype", "missing", "carried"),
    [
        ("string", "fill", True),
        ("string", "reject", True),
        ("large_string", "fill", True),
        ("large_string", "reject", True),
        # What is carried adds to what is scored: without it, each once.
        ("string", "reject", False),
        ("large_string", "fill", False),
    ],
)
def test_a_contract_that_says_string_takes_every_form(
    dtype: str, missing: str, carried: bool, score_it: Score, tmp_path: Path
) -> None:
    config = job_for(tmp_path, dtype, missing)
    settings = {"source.passthrough": ["s"]} if carried else {}
    filled = logits([2 if code is None else code for code in CODES])
    kept = [0, 1, 2, 3] if missing == "fill" else [0, 2, 3]
    for form, column in FORMS.items():
        source = shard(tmp_path / f"{form}.parquet", form)
        outcome = score_it(source, config=config, settings=settings)
        found = outcome.scored()
        assert found["id"].to_pylist() == kept, form
        np.testing.assert_array_equal(found["logit"].to_numpy(), filled[kept], err_msg=form)
        if carried:
            # As the file has it, a missing one included.
            assert found.schema.field("s").type == column.type
            assert found["s"].to_pylist() == [TEXTS[row].as_py() for row in kept]


@pytest.mark.parametrize("carried", [False, True])
def test_shards_of_every_form_beside_each_other(
    carried: bool, score_it: Score, tmp_path: Path
) -> None:
    config = job_for(tmp_path, "string", "fill")
    for number, form in enumerate(FORMS):
        shard(tmp_path / f"in/{number}.parquet", form, first=4 * number)
    settings = {"source.passthrough": ["s"]} if carried else {}
    found = score_it(tmp_path / "in", config=config, settings=settings).scored()
    filled = logits([0, 2, 2, 1])
    np.testing.assert_array_equal(found["logit"].to_numpy(), np.tile(filled, len(FORMS)))
    if carried:
        assert found.schema.field("s").type == pa.large_string()
        assert found["s"].to_pylist() == TEXTS.to_pylist() * len(FORMS)


def test_what_the_job_says_goes_before_the_form_of_the_files(
    score_it: Score, tmp_path: Path
) -> None:
    config = job_for(tmp_path, "string", "fill")
    source = shard(tmp_path / "in.parquet", "dictionary")
    settings = {"source.passthrough": ["s"], "source.types": {"s": "string"}}
    found = score_it(source, config=config, settings=settings).scored()
    assert found.schema.field("s").type == pa.string()
