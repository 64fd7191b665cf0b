"""What goes to a server and comes back, against what the server has described, field by field."""

from typing import Any

import numpy as np
import pytest

from model_zoo.remote.answers import (
    Envelope,
    check_envelope,
    check_outputs,
    collect_outputs,
    list_dtypes,
)
from model_zoo.remote.client import Description, TensorSpec
from model_zoo.remote.failures import WrongError

ROWS = np.zeros((2, 3), "float32")


def described(version: str = "3", **specs: tuple[str, tuple[int | None, ...]]) -> Description:
    """Return a model whose inputs and outputs alike are these."""
    tensors = {name: TensorSpec(*spec) for name, spec in specs.items()}
    return Description("memory", version, tensors, tensors)


@pytest.mark.parametrize(
    ("answer", "version", "wanted"),
    [
        (Envelope("sums", "3", "r1"), "3", None),
        (Envelope("sums", "3", "r1"), "3", "3"),
        # A server may leave out any of the three, and so may its description.
        (Envelope("", "", ""), "3", None),
        (Envelope("sums", "4", "r1"), "", None),
    ],
)
def test_an_envelope_is_of_this_request(answer: Envelope, version: str, wanted: str | None) -> None:
    check_envelope("sums", described(version), "r1", answer, wanted)


@pytest.mark.parametrize(
    ("answer", "wanted", "told"),
    [
        (Envelope("sums", "3", "r2"), None, "request r1 got the answer of another request"),
        (Envelope("products", "3", "r1"), None, "model 'products' answered for sums"),
        (Envelope("sums", "4", "r1"), None, "version '4' of sums answered"),
        (Envelope("sums", "", "r1"), "3", "version 3 of sums was asked for"),
    ],
)
def test_an_envelope_of_something_else_is_wrong(
    answer: Envelope, wanted: str | None, told: str
) -> None:
    with pytest.raises(WrongError, match=told):
        check_envelope("sums", described(), "r1", answer, wanted)


@pytest.mark.parametrize(
    ("specs", "sent"),
    [
        ({}, {"x": "float32"}),
        ({"x": ("float32", (3,))}, {"x": "float32"}),
        ({"x": ("float32", (None,))}, {"x": "float32"}),
        # On our side numpy has no other dtype for it.
        ({"x": ("bfloat16", (3,))}, {"x": "bfloat16"}),
    ],
)
def test_inputs_are_sent_as_the_server_takes_them(
    specs: dict[str, Any], sent: dict[str, str]
) -> None:
    assert list_dtypes({"x": ROWS}, described(**specs)) == sent


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"x": ("float64", (3,))}, "x must be float64, got float32"),
    ({"x": ("float32", (4,))}, r"x must have rows of shape \(4\), got \(3,\)"),
    ({"x": ("float32", (None, 3))}, r"x must have rows of shape \(\?, 3\), got \(3,\)"),
    ({"x": ("float32", ())}, r"x must have rows of shape \(\), got \(3,\)"),
    ({"z": ("float32", (3,))}, "z is missing"),
    ({"x": ("float32", (3,)), "z": ("float32", (3,))}, "z is missing"),
]


@pytest.mark.parametrize(("specs", "told"), WRONG)
def test_what_is_not_as_described_is_wrong_on_its_way_there_and_back(
    specs: dict[str, Any], told: str
) -> None:
    with pytest.raises(WrongError, match=f"input {told}"):
        list_dtypes({"x": ROWS}, described(**specs))
    with pytest.raises(WrongError, match=f"output {told}"):
        check_outputs({"x": ROWS}, 2, described(**specs))


def test_a_name_that_was_not_described_is_wrong() -> None:
    with pytest.raises(WrongError, match="output 'y' is none that the server has described"):
        check_outputs({"x": ROWS, "y": ROWS}, 2, described(x=("float32", (3,))))


@pytest.mark.parametrize("specs", [{}, {"x": ("float32", (3,))}])
def test_an_answer_has_outputs_of_as_many_rows_as_were_sent(specs: dict[str, Any]) -> None:
    check_outputs({"x": ROWS}, 2, described(**specs))
    with pytest.raises(WrongError, match="output x has 2 rows for the 3 that were sent"):
        check_outputs({"x": ROWS}, 3, described(**specs))
    with pytest.raises(WrongError, match="has no output"):
        check_outputs({}, 2, described(**specs))


def test_two_outputs_of_one_name_are_wrong() -> None:
    assert list(collect_outputs([("y", ROWS), ("x", ROWS)])) == ["y", "x"]
    with pytest.raises(WrongError, match="two outputs y"):
        collect_outputs([("y", ROWS), ("y", ROWS)])
