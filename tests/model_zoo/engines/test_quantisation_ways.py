"""Which ways of quantising are tried, and what each says to the library; `test_quantisation.py` needs the library itself."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from model_zoo.engines import quantisation


class Noted:
    """Stands in for settings of the library: what was said."""

    def __init__(self, **said: Any) -> None:
        self.__dict__.update(said)


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for nncf."""
    bounds = SimpleNamespace(RangeEstimatorParametersSet=SimpleNamespace(MINMAX="all"))
    module = SimpleNamespace(
        AdvancedQuantizationParameters=Noted,
    )
    monkeypatch.setitem(sys.modules, "nncf", module)
    monkeypatch.setitem(sys.modules, "nncf.quantization", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "nncf.quantization.range_estimator", bounds)


def corrects_mean(options: Any) -> bool:
    """Tell whether a way corrects the mean of what a layer gives."""
    advanced = options["advanced_parameters"]
    assert advanced.activations_range_estimator_params == "all"
    return not advanced.disable_bias_correction


def test_both_ways_take_all_that_flowed_and_one_corrects_the_mean() -> None:
    assert [corrects_mean(options) for options in quantisation._list_ways()] == [False, True]
