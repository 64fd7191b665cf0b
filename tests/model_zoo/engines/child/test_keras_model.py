"""What is read of a Keras model, on stand-ins for its classes: Keras itself starts a backend when it is imported.

`tests/model_zoo/engines/test_keras_engine.py` loads real files in processes of their own.
"""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from model_zoo.engines.child.keras_model import KerasModel, _take_activation_off, name_outputs

LINEAR = object()


@pytest.fixture(autouse=True)
def keras(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands in for the library: its linear activation, and outputs in their order."""
    activations = SimpleNamespace(linear=LINEAR)
    tree = SimpleNamespace(flatten=lambda given: list(given))
    library = SimpleNamespace(activations=activations, tree=tree)
    monkeypatch.setitem(sys.modules, "keras", library)
    return library


def softmax() -> None:
    """Named as Keras names its own."""


def sigmoid() -> None:
    """As above."""


def relu() -> None:
    """As above."""


def model_of(activation: Any, outputs: int = 1, ends_with_last: bool = True) -> Any:
    """Return a model whose last layer has this activation, if any."""
    ends = [object() for _ in range(outputs)]
    last = SimpleNamespace(output=ends[0] if ends_with_last else object())
    if activation is not None:
        last.activation = activation
    return SimpleNamespace(layers=[SimpleNamespace(), last], outputs=ends)


@pytest.mark.parametrize(
    ("activation", "wanted", "taken"),
    [
        (softmax, "softmax", "softmax"),
        (softmax, None, "softmax"),
        (sigmoid, None, "sigmoid"),
        # What a job does not apply stays.
        (softmax, "none", "none"),
        (softmax, "sigmoid", "none"),
        (relu, None, "none"),
        (None, None, "none"),
    ],
)
def test_what_makes_probabilities_is_taken_off(activation: Any, wanted: Any, taken: str) -> None:
    model = model_of(activation)
    assert _take_activation_off(model, 1, wanted) == taken
    left = getattr(model.layers[-1], "activation", None)
    assert left is (activation if taken == "none" else LINEAR)


@pytest.mark.parametrize(("outputs", "ends_with_last"), [(2, True), (1, False)])
def test_only_the_end_of_a_model_of_one_output_is_changed(
    outputs: int, ends_with_last: bool
) -> None:
    model = model_of(softmax, outputs, ends_with_last)
    assert _take_activation_off(model, outputs, None) == "none"
    assert model.layers[-1].activation is softmax


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a"], ("a",)),
        (["b", "a"], ("b", "a")),
        # A layer that was called twice gives its name to both.
        (["a", "a"], ("output_0", "output_1")),
        (["a", "b", "a"], ("output_0", "output_1", "output_2")),
    ],
)
@pytest.mark.parametrize("is_sequential", [True, False])
def test_outputs_have_names_of_their_own(
    names: list[str], expected: tuple[str, ...], is_sequential: bool, keras: Any
) -> None:
    functional = SimpleNamespace(output_names=names)
    model = SimpleNamespace(_functional=functional) if is_sequential else functional
    assert name_outputs(keras, model) == expected


@pytest.mark.parametrize("inputs", [1, 2])
def test_one_input_is_given_by_itself_and_several_as_a_list(inputs: int) -> None:
    tensors = list(range(inputs))
    given: list[Any] = []

    def call(what: Any, training: bool) -> list[int]:
        given.append((what, training))
        return [7, 8]

    names = tuple(map(str, tensors))
    opened = KerasModel(call, names, ("a", "b"), "none")
    assert opened.compute(tensors) == {"a": 7, "b": 8}
    # Dropout and the like are off.
    assert given == [(0 if inputs == 1 else [0, 1], False)]
