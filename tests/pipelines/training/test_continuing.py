"""What of a package's steps is found again, where its network is trained further on other rows."""

from model_zoo.steps.encode import Ordinal
from model_zoo.steps.fill import Fill
from model_zoo.steps.scale import Standardise
from pipelines.training.continuing import _unfit


def test_what_was_found_in_the_rows_is_found_again_and_what_was_said_is_kept() -> None:
    said = Fill(step="fill", columns=("a",), values=(7,))
    assert _unfit(said) == said
    found = Fill(step="fill", columns=("a",), strategy="mean", values=(7,))
    assert _unfit(found) == Fill(step="fill", columns=("a",), strategy="mean")
    scaled = Standardise(step="standardise", columns=("a",), mean=(1.0,), scale=(2.0,))
    assert _unfit(scaled) == Standardise(step="standardise", columns=("a",))
    known = Ordinal(step="ordinal", columns=("a",), unknown="code", categories=(("x",),))
    assert _unfit(known) == Ordinal(step="ordinal", columns=("a",), unknown="code")
