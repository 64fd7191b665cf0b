"""What computes a graph is what was asked for, or nothing does."""

import pytest
import torch

from configs.errors import ModelError
from model_zoo.engines.onnx_providers import (
    CPU,
    choose_providers,
    make_cuda,
    refuse_absent,
    refuse_others,
)

WANTED = (make_cuda(torch.device("cuda", 1)), CPU)


def test_each_device_has_its_own() -> None:
    assert choose_providers(torch.device("cpu")) == (CPU,)
    cuda, cpu = choose_providers(torch.device("cuda", 1))
    assert cpu == CPU
    assert cuda.name == "CUDAExecutionProvider"
    assert cuda.options["device_id"] == "1"
    # float32 keeps all of its bits.
    assert cuda.options["use_tf32"] == "0"


def test_what_the_library_has_not_is_refused() -> None:
    refuse_absent(WANTED, ["CPUExecutionProvider", "CUDAExecutionProvider"], "p")
    with pytest.raises(
        ModelError, match="p: ONNX Runtime has no CUDAExecutionProvider here"
    ) as told:
        refuse_absent(WANTED, ["CPUExecutionProvider"], "p")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "taken",
    [["CPUExecutionProvider"], ["CPUExecutionProvider", "CUDAExecutionProvider"], []],
)
def test_what_computes_instead_is_refused(taken: list[str]) -> None:
    refuse_others(WANTED, ["CUDAExecutionProvider", "CPUExecutionProvider"], "p")
    with pytest.raises(ModelError, match=r"computes with .* in place of \['CUDAExec"):
        refuse_others(WANTED, taken, "p")
