from typing import Any

from pydantic import ValidationError
import pytest

from configs.recipe import Training


@pytest.mark.parametrize(
    ("name", "taken", "refused", "besides"),
    [
        ("learning_rate", [1e-9], [0, -1], {}),
        ("momentum", [0, 0.999], [-0.001, 1], {"optimiser": "momentum"}),
        ("weight_decay", [0, 3], [-0.001], {}),
        ("decay", [0.01, 0.99], [0, 1], {"schedule": "step"}),
        ("step_epochs", [1], [0], {"schedule": "step"}),
        ("plateau_epochs", [1], [0], {"schedule": "plateau"}),
        ("warm_up_epochs", [0, 199], [-1, 200], {}),
        ("clip_norm", [None, 0.1], [0], {}),
        ("accumulate", [1], [0], {}),
        ("batch_rows", [1], [0], {}),
        ("epochs", [1], [0], {}),
        ("patience", [1], [0], {}),
        ("threads", [1, 8], [0], {}),
        ("device", ["cpu", "cuda", "cuda:1", "auto"], ["gpu", "cuda:", "CPU"], {}),
        ("precision", ["float32", "bfloat16"], ["float64", "int8"], {}),
        ("class_weights", [None, "balanced", {"a": 1, "b": 2.5}], ["even", {"a": 0}], {}),
        ("train_only", [(), ("head.*",)], [1], {}),
        ("seed", [0, 2**32 - 1], [-1, 2**32], {}),
    ],
)
def test_the_last_value_that_is_taken_and_the_first_that_is_not(
    name: str, taken: list[Any], refused: list[Any], besides: dict[str, Any]
) -> None:
    for value in taken:
        assert getattr(Training.model_validate({**besides, name: value}), name) == value
    for value in refused:
        with pytest.raises(ValidationError):
            Training.model_validate({**besides, name: value})


def test_what_a_training_does_that_says_nothing() -> None:
    assert Training().model_dump() == {
        "optimiser": "adam",
        "learning_rate": 0.001,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warm_up_epochs": 0,
        "decay": 0.1,
        "step_epochs": 30,
        "plateau_epochs": 5,
        "batch_rows": 32,
        "accumulate": 1,
        "clip_norm": None,
        "epochs": 200,
        "patience": 20,
        "loss": "squared",
        "class_weights": None,
        "precision": "float32",
        "device": "cpu",
        "threads": 1,
        "train_only": (),
        "augment": None,
        "seed": 0,
    }


@pytest.mark.parametrize(
    "said",
    [
        {"momentum": 0.5},
        {"decay": 0.5},
        {"schedule": "cosine", "step_epochs": 3},
        {"schedule": "step", "plateau_epochs": 3},
        {"schedule": "one_cycle", "warm_up_epochs": 3},
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(said: dict[str, Any]) -> None:
    *_, last = said
    with pytest.raises(ValidationError, match=f"{last} is .* does not use; leave it out, or say"):
        Training.model_validate(said)


def test_every_default_may_be_written_out() -> None:
    for schedule in ("constant", "step", "cosine", "one_cycle", "plateau"):
        written = Training.model_validate({"schedule": schedule}).model_dump()
        assert Training.model_validate(written).schedule == schedule


def test_float16_is_for_cuda_devices() -> None:
    with pytest.raises(ValidationError, match="float16 needs a CUDA device: say device: cuda"):
        Training.model_validate({"precision": "float16"})
    Training.model_validate({"precision": "float16", "device": "cuda"})


def test_one_pattern_needs_no_list() -> None:
    assert Training.model_validate({"train_only": "head.*"}).train_only == ("head.*",)
