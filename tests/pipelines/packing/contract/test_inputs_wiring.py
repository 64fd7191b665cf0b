"""Which columns of a sample make up each argument of a network, by names and kinds, without a package."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.architectures.signature import Signature
from model_zoo.package.card import InputColumn
from model_zoo.steps.table import AnyStep
from pipelines.packing.contract.inputs import fit, list_sources, wire
from pipelines.packing.contract.units import UnitsNeededError

COLUMNS: dict[str, Any] = {
    "a": pa.array([1.0, 2.0]),
    "b": pa.array([3, 4]),
    "name": pa.array(["x", "y"]),
    "day": pa.array([0, 1], pa.date32()),
    "tokens": np.zeros((2, 5), np.int64),
    "tokens_mask": np.ones((2, 5), bool),
}


def make_job(**fields: Any) -> Any:
    return PackagingJob[AnyStep].model_validate(
        {"network": "m:Net", "weights": "w", "sample": "s", "output": "o", **fields}
    )


def find(names: str, required: str, optional: str = "", masks: tuple[str, ...] = (), **job: Any) -> Any:  # fmt: skip
    """Return the wiring of these columns to a network of these arguments."""
    needed = tuple(required.split())
    signature = Signature(needed, frozenset([*needed, *optional.split()]), takes_any=False)
    columns = {name: COLUMNS[name] for name in names.split()}
    return wire(make_job(**job), signature, columns, masks)


@pytest.mark.parametrize(
    ("names", "required", "optional", "wiring"),
    [
        # By name.
        ("a b", "b a", "", {"b": "b", "a": "a"}),
        ("a b", "a", "", {"a": "a"}),
        # Where all have defaults, those that there are columns for.
        ("a b", "", "b c", {"b": "b"}),
        # All numbers side by side, where one argument has another name.
        ("a b", "x", "", {"x": ("a", "b")}),
        ("a", "x", "", {"x": ("a",)}),
        # The only array stays as it is.
        ("tokens", "x", "", {"x": "tokens"}),
    ],
)
def test_names_and_kinds_say_it(
    names: str, required: str, optional: str, wiring: dict[str, Any]
) -> None:
    assert find(names, required, optional) == wiring


@pytest.mark.parametrize(
    ("names", "required", "optional", "told"),
    [
        ("a b", "user item", "", "takes user, item; .* inputs.user=.a, b.; there are a, b"),
        ("a b", "a item", "", "takes a, item; .* inputs.a=.a, b."),
        ("a b", "", "c", "takes any names; .* inputs.x=.a, b."),
        ("a name", "x", "", "takes numbers, and these columns are none: 'name' of type string"),
    ],
)
def test_what_they_do_not_say_is_asked_for(
    names: str, required: str, optional: str, told: str
) -> None:
    with pytest.raises(JobError, match=told):
        find(names, required, optional)


def test_a_text_and_a_date_are_asked_for_at_once() -> None:
    with pytest.raises(JobError, match=r"'name' of type string.*numbers\.day=days"):
        find("a name day", "x")
    with pytest.raises(UnitsNeededError) as needed:
        find("a day", "x")
    assert needed.value.columns == ("day",)


@pytest.mark.parametrize(
    ("network", "optional", "has_mask"),
    [
        ("gru", "mask", True),
        ("gru", "", False),
        # What a user's network means by its mask nobody knows.
        ("m:Net", "mask", False),
    ],
)
def test_a_network_of_ours_takes_the_mask_of_its_only_column(
    network: str, optional: str, has_mask: bool
) -> None:
    found = find("tokens tokens_mask", "x", optional, ("tokens_mask",), network=network)
    mask = {"mask": "tokens_mask"} if has_mask else {}
    assert found == {"x": "tokens", **mask}


SAID: list[tuple[dict[str, Any], str]] = [
    ({"x": ["a", "b"]}, ""),
    ({"x": "a", "z": "b"}, ""),
    ({"q": "a", "r": "b"}, ""),
    ({"x": "aa"}, "inputs.x: there is no column 'aa'"),
    ({"x": ["a", "c", "d"]}, "no column 'c'.*; inputs.x: there is no column 'd'"),
    ({"x": "c", "z": "day"}, "no column 'c'.*numbers.day=days"),
]


@pytest.mark.parametrize(("inputs", "told"), SAID)
def test_what_the_job_says_is_taken_where_its_columns_are_there(
    inputs: dict[str, Any], told: str
) -> None:
    required = "x z" if len(inputs) == 2 else "x"
    if told:
        with pytest.raises(JobError, match=told):
            find("a b day", required, inputs=inputs)
        return
    wired = find("a b day", required, inputs=inputs)
    assert set(list_sources(wired)) == {"a", "b"}


def test_an_argument_that_is_forgotten_is_told() -> None:
    with pytest.raises(JobError, match="the network also takes z"):
        find("a b", "x z", inputs={"x": "a"})
    # By position, whatever they are called.
    find("a b", "x z", inputs={"q": "a", "r": "b"})


@pytest.mark.parametrize(("missing", "filled"), [("fill", [1.0, 7.0]), ("reject", [1.0, None])])
def test_steps_are_fitted_on_what_is_filled(missing: str, filled: list[Any]) -> None:
    rule = {"name": "a", "type": "double", "missing": missing}
    if missing == "fill":
        rule["fill"] = 7.0
    rows = pa.table({"a": pa.array([1.0, None])})
    _, columns = fit(make_job(), rows, (InputColumn.model_validate(rule),))
    column: Any = columns["a"]
    assert column.to_pylist() == filled
