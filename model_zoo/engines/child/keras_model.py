"""A `.keras` file, in the child: Keras 3 on torch, in float32 as it was saved, on a thread for each call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import io
from typing import Any

from model_zoo.engines.child.keras_archive import check_archive
from model_zoo.engines.child.messages import Arrays, Call, MakeCall

# What makes probabilities of logits, in Keras' words and in cards.
_ACTIVATIONS = ("sigmoid", "softmax")


@dataclass(frozen=True)
class KerasModel:
    """A model as it is called.

    Attributes:
        model: of Keras.
        inputs: names of its arguments, in their order.
        outputs: names of what it gives, in their order.
        activation: what was taken off its end, so that it gives logits; none where nothing was.
    """

    model: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    activation: str

    def compute(self, tensors: Sequence[Any]) -> dict[str, Any]:
        """Return the outputs by name.

        Args:
            tensors: one for each input, in their order.
        """
        import keras

        given: Any = list(tensors)
        # A model of one input takes it as it is.
        if len(tensors) == 1:
            (given,) = tensors
        computed = self.model(given, training=False)
        flat = keras.tree.flatten(computed)
        return dict(zip(self.outputs, flat, strict=True))


def load(content: bytes, card: Mapping[str, Any]) -> MakeCall:
    """Return what makes a call for each thread.

    Args:
        content: of the file.
        card: with inputs, and the activation that a job applies.
    """
    import torch

    opened = open_model(content, card["activation"])

    def compute(inputs: Arrays) -> Arrays:
        tensors = [torch.from_numpy(inputs[name]) for name in opened.inputs]
        with torch.inference_mode():
            computed = opened.compute(tensors)
        return {name: tensor.numpy() for name, tensor in computed.items()}

    def make_call() -> Call:
        # torch keeps this number per thread; a sum that is spread over several rounds differently.
        torch.set_num_threads(1)
        return compute

    return make_call


def open_model(content: bytes, activation: str | None) -> KerasModel:
    """Return the model in a file, once it is known to be nothing but a network.

    Args:
        content: of the file.
        activation: that scores are made with; where the model ends with the same, it is taken off.
            None for whichever the model ends with.

    Raises:
        ValueError: it could do more than compute, or is not built.
    """
    check_archive(content)
    import keras
    from keras.src.saving import saving_lib

    # The public function takes a path alone, and there is no file here.
    file = io.BytesIO(content)
    model = saving_lib.load_model(file, compile=False, safe_mode=True)
    if not model.inputs:
        raise ValueError("it is not built; begin it with keras.Input")
    names = tuple(tensor.name for tensor in model.inputs)
    outputs = name_outputs(keras, model)
    taken_off = _take_activation_off(model, len(outputs), activation)
    return KerasModel(model, names, outputs, taken_off)


def name_outputs(keras: Any, model: Any) -> tuple[str, ...]:
    """Return the names of a model's outputs, in the order in which Keras flattens them.

    Args:
        keras: the library.
        model: a Functional or a Sequential one.
    """
    functional = getattr(model, "_functional", model)
    names = list(functional.output_names)
    count = len(names)
    different = set(names)
    if len(different) == count:
        return tuple(names)
    # A layer that was called twice gives its name to both.
    numbered = [f"output_{number}" for number in range(count)]
    return tuple(numbered)


def _take_activation_off(model: Any, outputs: int, wanted: str | None) -> str:
    """Let a model end with logits, and return what made probabilities of them."""
    import keras

    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    name = getattr(activation, "__name__", "")
    is_last = outputs == 1 and model.outputs[0] is last.output
    is_wanted = wanted in (None, name)
    if name not in _ACTIVATIONS or not is_last or not is_wanted:
        return "none"
    last.activation = keras.activations.linear
    return name
