"""What pipelines.package cannot find out is asked for by name, all of it at once, whatever is missing."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tests.support.packaging import Author, Packaged, numbers

TASK = "task or activation is needed"
MODEL = "network (with weights), or one of huggingface"


@pytest.fixture
def ask(author: Author) -> Callable[..., Packaged]:
    """Package a linear network without some of what is needed."""
    fields = {
        "network": f"{author.module.__name__}:Net",
        "weights": author.save(author.module.Net()),
        "sample": author.sample(**numbers()),
        "key": "id",
    }

    def package(*without: str, **changes: str) -> Packaged:
        said = {name: value for name, value in (fields | changes).items() if name not in without}
        flags = [] if "output" in without else ["--output", str(author.folder / "model")]
        return author.call(*flags, **said)

    return package


@pytest.mark.parametrize(
    ("without", "asked"),
    [
        (("output",), ["is needed: output", TASK]),
        (("weights",), ["is needed: weights", TASK]),
        (("sample",), ["is needed: sample", TASK]),
        (("network", "weights"), ["is needed: network"]),
        (("weights", "output"), ["is needed: weights", "; output", TASK]),
        (("network", "weights", "sample", "output"), [MODEL, "; sample", "; output"]),
    ],
)
def test_a_gap_hides_no_later_question(
    without: tuple[str, ...], asked: list[str], ask: Callable[..., Packaged]
) -> None:
    ask(*without).refused(*asked)


def test_what_is_said_is_not_asked_for(ask: Callable[..., Packaged]) -> None:
    packaged = ask("output", activation="none")
    packaged.refused("is needed: output")
    assert TASK not in packaged.error
    assert "weights" not in packaged.error


def test_files_that_are_not_there_are_told_with_the_gaps(ask: Callable[..., Packaged]) -> None:
    packaged = ask("output", weights="no.pt", sample="no.parquet", expected="none.csv")
    packaged.refused("is needed: output", "no.pt: there is no such file", "no.parquet", "none.csv")


def test_names_that_are_no_columns_are_told_with_weights_of_another_network(
    ask: Callable[..., Packaged], author: Author
) -> None:
    other = author.save(author.module.Net(width=9), "other.pt")
    ask(weights=other, key="idd").refused("did you mean id?", "not those of the network", TASK)


def test_a_unit_and_a_task_are_asked_for_together(
    ask: Callable[..., Packaged], author: Author
) -> None:
    table: dict[str, Any] = {**numbers(), "c": [date(2024, 1, 1)] * 1_200}
    ask("output", sample=author.sample(**table)).refused("needed: output", "numbers.c=days", TASK)


def test_the_values_of_a_network_without_weights_say_nothing(ask: Callable[..., Packaged]) -> None:
    """A classifier's numbers tell probabilities from logits; before it has its weights they do not."""
    packaged = ask("weights", task="classification")
    packaged.refused("is needed: weights")
    assert "between 0 and 1" not in packaged.error


def test_labels_are_counted_before_the_weights_are_there(ask: Callable[..., Packaged]) -> None:
    packaged = ask("weights", activation="sigmoid", labels="a,b,c")
    packaged.refused("is needed: weights", "labels holds 3 names, and there are 2 classes")


def test_a_model_of_another_kind_is_asked_for_with_what_is_missing(author: Author) -> None:
    author.call(xgboost="no.json").refused("is needed: sample", "; output", "no.json: there is no")
    author.call(huggingface="hf", sample="no.parquet").refused("text or image", "no.parquet")
    author.call(onnx="m.onnx", expected="e.csv").refused("is needed: sample", "key, by which rows")


def test_a_graph_that_is_not_there_hides_no_name_that_is_no_column(author: Author) -> None:
    pytest.importorskip("onnx")
    packaged = author.call(onnx="no.onnx", sample=author.sample(**numbers()), key="idd")
    packaged.refused("is needed: output", "no.onnx: there is no such file", "'idd'")


def test_what_is_not_valid_is_told_with_what_is_missing(author: Author) -> None:
    author.call("--set", "tusk=x", "--set", "cut=[a]", "--set", "version=[]").refused(
        "tusk: unknown key; did you mean task?", "version: ", MODEL, "; sample", "; output"
    )
    author.call(task="guess", sample="s.csv").refused("task: Input should be", "; output")


def test_all_contradictions_are_told_with_what_is_missing(author: Author) -> None:
    flags = ("--set", "columns=[id,a]", "--set", "fill.a=0", "--set", "missing.a=reject")
    packaged = author.call(*flags, network="mlp", onnx="m.onnx", text="a", key="id")
    packaged.refused("names network and onnx", "text is for huggingface", "hold 'id'", "missing.a")
    packaged.refused("is needed: weights", "; sample", "; output")
