"""A packaging job that names several models, or tells one what another takes, is refused, all of it at once."""

from typing import Any

import pydantic
import pytest

from configs.packaging import CONVERTED, PackagingJob

NETWORK = {"network": "mlp", "weights": "w.pt"}
FOLDER = {"huggingface": "hf", "text": "t"}
OTHER = {"onnx": "m.onnx"}

SEVERAL = "a package holds one model, and the job names"
OF_NETWORK = "weights and parameters are those of network"
OF_FOLDER = "text is for huggingface"
OF_OTHERS = "native is for models of other libraries"
OF_PICTURES = "image and settings are for network and huggingface"
EITHER = "huggingface takes texts or pictures, and the job names both"


def find_problems(fields: dict[str, Any]) -> list[str]:
    try:
        PackagingJob[Any].model_validate(fields)
    except pydantic.ValidationError as error:
        (found,) = error.errors()
        return found["msg"].removeprefix("Value error, ").split("; ")
    return []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (NETWORK, []),
        ({**NETWORK, "image": "i", "settings": "DEFAULT"}, []),
        ({**NETWORK, "parameters": {"hidden": [2]}}, []),
        (FOLDER, []),
        ({"huggingface": "hf", "image": "i"}, []),
        (OTHER, []),
        ({**OTHER, "native": True}, []),
        ({**NETWORK, "onnx": False}, []),
        ({**NETWORK, "huggingface": "hf"}, [SEVERAL, OF_NETWORK]),
        ({**NETWORK, **OTHER}, [SEVERAL, OF_NETWORK]),
        ({**FOLDER, **OTHER}, [SEVERAL, OF_FOLDER]),
        ({"onnx": "m.onnx", "sklearn": "m.skops"}, [SEVERAL]),
        ({**FOLDER, "weights": "w.pt"}, [OF_NETWORK]),
        ({**FOLDER, "parameters": {"a": 1}}, [OF_NETWORK]),
        ({**OTHER, "parameters": {"a": 1}}, [OF_NETWORK]),
        ({**NETWORK, "text": "t"}, [OF_FOLDER]),
        ({**OTHER, "text": "t"}, [OF_FOLDER]),
        ({**NETWORK, "native": True}, [OF_OTHERS]),
        ({**FOLDER, "native": True}, [OF_OTHERS]),
        ({**OTHER, "image": "i"}, [OF_PICTURES]),
        ({**OTHER, "settings": "DEFAULT"}, [OF_PICTURES]),
        ({**FOLDER, "image": "i"}, [EITHER]),
        # What a network takes is told apart from what both are.
        ({**NETWORK, "text": "t", "image": "i"}, [OF_FOLDER, EITHER]),
    ],
)
def test_what_one_model_has_is_not_said_of_another(fields: dict[str, Any], told: list[str]) -> None:
    problems = find_problems(fields)
    # Some say in a second half what to do instead.
    begun = [problem for problem in problems if any(problem.startswith(words) for words in told)]
    assert len(begun) == len(told)
    assert bool(problems) is bool(told)


@pytest.mark.parametrize("kind", CONVERTED)
def test_the_kind_of_a_model_that_is_kept_as_a_graph(kind: str) -> None:
    job = PackagingJob[Any].model_validate({kind: "file"})
    assert job.converted == (kind, "file")
    assert PackagingJob[Any].model_validate(NETWORK).converted is None


@pytest.mark.parametrize("field", ["key", "label"])
def test_key_and_label_are_no_columns_of_the_model(field: str) -> None:
    columns = {"columns": ["a", "b"]}
    assert find_problems({**NETWORK, **columns, field: "c"}) == []
    (told, *_) = find_problems({**NETWORK, **columns, field: "b"})
    assert told.startswith("columns must not hold 'b'")
