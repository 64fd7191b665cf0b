"""Columns of every kind beside training, and beside an earlier run: what changed is told, and what did not is not."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from model_zoo.evaluation.data_profile import profile_table
from model_zoo.evaluation.findings import Finding, Limit, Rules
from model_zoo.evaluation.judged import judge_drifts
from model_zoo.evaluation.profile_drift import compare_profiles
from pipelines.training.held_out import to_parquet
from transforms.summaries.profile import make_profile
from transforms.summaries.reference import NO_REFERENCE, read_training_profile
from transforms.summaries.training_profile import read_training_table

LIMITS = {
    "psi": Limit(hold=0.25),
    "js": Limit(hold=0.3),
    "missing": Limit(hold=0.1),
    "new": Limit(hold=0.1),
}
ROWS = 3_000
RANDOM = np.random.default_rng(3)
REFERENCES = ["training", "run", "run without training"]


def judge(then: pa.Array, now: pa.Array, reference: str) -> list[Finding]:
    """What is told of a column."""
    content = to_parquet(profile_table({"c": then}, {}))
    known = NO_REFERENCE if "without" in reference else read_training_profile(content)
    profile = make_profile(["c"], known)
    before = profile.write(profile.of("input", {"c": then}))
    if reference == "training":
        before = read_training_table(content, {})
    table = profile.write(profile.of("input", {"c": now}))
    drifts = compare_profiles(before.to_pylist(), table.to_pylist())
    return judge_drifts(drifts, Rules({"c": LIMITS}, {}, {}))


def draw_some(share: float, values: Any = 0.0) -> pa.Array:
    """Numbers of which so large a part is drawn, and all others are these."""
    return pa.array(np.where(RANDOM.random(ROWS) < share, RANDOM.random(ROWS), values))


def draw_texts(count: int, form: str = "v{}") -> pa.Array:
    return pa.array([form.format(number) for number in RANDOM.integers(0, count, ROWS)])


def draw_moments(day: int) -> pa.Array:
    first = datetime(2026, 1, day)
    seconds = RANDOM.integers(0, 86_400, ROWS).tolist()
    return pa.array([first + timedelta(seconds=number) for number in seconds], pa.timestamp("us"))


def draw_decimals(mean: float) -> pa.Array:
    numbers = np.round(RANDOM.normal(mean, 2.0, ROWS), 2)
    return pa.array([Decimal(f"{number:.2f}") for number in numbers], pa.decimal128(9, 2))


def mix_lengths() -> pa.Array:
    return pa.array([text * 50 if text == "v1" else text for text in draw_texts(4).to_pylist()])


LONG = "x" * 100 + "{}"
NOTHING = pa.nulls(ROWS, pa.float64())
SAME = {
    "nothing": (NOTHING, NOTHING),
    "one number": (draw_some(0.0, 3.0), draw_some(0.0, 3.0)),
    "nearly one number": (draw_some(0.005), draw_some(0.005)),
    "one number in half": (draw_some(0.5), draw_some(0.5)),
    "one number, rounded up": (draw_some(0.1, 1 / 3), draw_some(0.1, np.float32(1 / 3))),
    "one number, rounded down": (draw_some(0.1, 0.7), draw_some(0.1, np.float32(0.7))),
    "few numbers": (pa.array(RANDOM.poisson(1, ROWS)), pa.array(RANDOM.poisson(1, ROWS))),
    "booleans": (pa.array(RANDOM.random(ROWS) < 0.3), pa.array(RANDOM.random(ROWS) < 0.3)),
    "decimals": (draw_decimals(5.0), draw_decimals(5.0)),
    "NaN and null": (
        draw_some(0.9, np.nan),
        # Of an array of Arrow it would leave NaN as it is.
        pa.array(draw_some(0.9, np.nan).to_numpy(), from_pandas=True),
    ),
    "bytes": (pa.array([b"ab"] * ROWS), pa.array([b"ab"] * ROWS)),
    "texts": (draw_texts(4), draw_texts(4)),
    "some long texts": (mix_lengths(), mix_lengths()),
}
CHANGED = {
    "one number, and another": (draw_some(0.0), draw_some(0.0, 5.0)),
    "nearly one number, and between": (draw_some(0.005), draw_some(0.0, 0.5)),
    "one number in half, and near it": (draw_some(0.5), draw_some(0.5, 0.2)),
    "booleans, all another": (pa.array([False] * ROWS), pa.array([True] * ROWS)),
    "decimals, shifted": (draw_decimals(5.0), draw_decimals(9.0)),
    "a value that is lost": (draw_some(0.5), NOTHING),
    "bytes that are lost": (pa.array([b"ab"] * ROWS), pa.array([b"ab", None] * (ROWS // 2))),
    "values without end": (draw_texts(5), draw_texts(100_000, "w{}")),
    "texts, and long ones": (draw_texts(5), draw_texts(100_000, LONG)),
}
NOT_COMPARED = {
    "texts of thousands of values": (draw_texts(100_000), draw_texts(100_000)),
    "moments": (draw_moments(1), draw_moments(8)),
    "long texts": (draw_texts(5, LONG), draw_texts(5, LONG)),
    "structs": (pa.array([{"a": 1}] * ROWS), pa.array([{"a": 2}] * ROWS)),
    "a number, and a text": (draw_some(0.5), draw_texts(5)),
    "nothing, and a text": (pa.nulls(ROWS, pa.string()), draw_texts(5)),
}


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("name", SAME)
def test_nothing_is_told_of_what_is_as_it_was(name: str, reference: str) -> None:
    assert judge(*SAME[name], reference) == []


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("name", CHANGED)
def test_what_changed_is_held(name: str, reference: str) -> None:
    levels = {finding.level for finding in judge(*CHANGED[name], reference)}
    assert "hold" in levels


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("name", NOT_COMPARED)
def test_what_cannot_be_compared_is_noted_and_never_passed_over(name: str, reference: str) -> None:
    found = judge(*NOT_COMPARED[name], reference)
    assert ("note", "not_compared") in {(finding.level, finding.measure) for finding in found}
    # Lengths can be, and a value that is there can.
    others = [one for one in found if one.of == "value" and one.measure != "missing"]
    assert {finding.level for finding in others} == {"note"}
