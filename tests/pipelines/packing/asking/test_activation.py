"""What a model's numbers are: found on the sample, said by the author, or asked for."""

from typing import Any

import numpy as np
import pytest

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.asking.activation import settle_activation

ONE = np.array([-1.5, 0.5, 3.0], dtype=np.float32)
WIDE = np.array([[-1.5, 0.5, 3.0], [2, 2, 2]], dtype=np.float32)
TOKENS = np.linspace(-2, 2, 24, dtype=np.float32).reshape(2, 4, 3)


def settle(
    outputs: dict[str, np.ndarray] | np.ndarray, tokens: int | None = None, **fields: Any
) -> tuple[str | None, str | None]:
    job = PackagingJob[AnyStep].model_validate(
        {"network": "m:Net", "weights": "w", "sample": "s", "output": "o", **fields}
    )
    named = outputs if isinstance(outputs, dict) else {"y": outputs}
    settled = settle_activation(job, named, tokens)
    return settled.activation, settled.task


@pytest.mark.parametrize(
    ("outputs", "fields", "expected"),
    [
        (ONE, {"activation": "sigmoid"}, ("sigmoid", "classification")),
        (WIDE, {"activation": "sigmoid"}, ("sigmoid", "multi_label")),
        (WIDE, {"activation": "softmax"}, ("softmax", "classification")),
        (TOKENS, {"activation": "softmax"}, ("softmax", "tokens")),
        (WIDE, {"activation": "none"}, ("none", None)),
        (ONE, {"task": "classification"}, ("sigmoid", "classification")),
        (WIDE, {"task": "classification"}, ("softmax", "classification")),
        (WIDE, {"task": "multi_label"}, ("sigmoid", "multi_label")),
        (TOKENS, {"task": "tokens"}, ("softmax", "tokens")),
        (ONE, {"task": "ranking"}, ("none", "ranking")),
        (WIDE, {"task": "regression", "labels": ["a", "b", "c"]}, ("none", "regression")),
        (WIDE, {"task": "embedding"}, ("none", "embedding")),
        (np.abs(WIDE) / 9, {"task": "multi_label", "activation": "none"}, ("none", "multi_label")),
        ({"a": ONE, "b": WIDE}, {}, ("none", None)),
        (TOKENS, {}, ("none", None)),
    ],
)
def test_what_is_said_or_seen(
    outputs: Any, fields: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    assert settle(outputs, 4, **fields) == expected


@pytest.mark.parametrize(
    ("outputs", "fields", "words"),
    [
        (WIDE, {}, "task or activation is needed: the network gives {'y': (3,)}"),
        (ONE, {}, "task or activation is needed: the network gives {'y': 'one number a row'}"),
        # Labels are for an activation, which several outputs and arrays have none of by themselves.
        (TOKENS, {"labels": ["a", "b", "c"]}, "task or activation is needed"),
        (np.abs(WIDE) / 9, {"task": "classification"}, "all numbers between 0 and 1"),
        (WIDE, {"task": "ranking"}, "task ranking needs one number a row"),
        (WIDE, {"task": "tokens"}, "task tokens does not fit activation softmax"),
        (WIDE, {"task": "multi_label", "activation": "softmax"}, "does not fit activation softmax"),
        (ONE, {"task": "multi_label"}, "task multi_label does not fit activation sigmoid"),
        (WIDE, {"task": "regression", "activation": "sigmoid"}, "task regression does not fit"),
        (TOKENS[:, :2], {"activation": "softmax"}, "does not fit an output of shape (2, 3)"),
        (TOKENS, {"activation": "sigmoid"}, "does not fit an output of shape (4, 3)"),
        (TOKENS, {"task": "tokens", "activation": "none"}, "needs activation softmax"),
        (WIDE, {"task": "regression", "labels": ["a"]}, "labels holds 1 names, and there are 3"),
        ({"a": ONE, "b": ONE}, {"activation": "sigmoid"}, "needs one output"),
        ({"a": ONE, "b": ONE}, {"task": "regression", "labels": ["a"]}, "needs one output"),
    ],
)
def test_what_does_not_fit_is_refused(outputs: Any, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(JobError) as refused:
        settle(outputs, 4, **fields)
    assert words in str(refused.value)


def test_all_that_does_not_fit_is_told_at_once() -> None:
    with pytest.raises(JobError) as refused:
        settle(WIDE, task="multi_label", activation="softmax", labels=["a"])
    assert "task multi_label does not fit" in str(refused.value)
    assert "labels holds 1 names, and there are 3" in str(refused.value)
