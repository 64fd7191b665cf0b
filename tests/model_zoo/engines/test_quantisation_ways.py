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
        AdvancedSmoothQuantParameters=Noted,
        ModelType=SimpleNamespace(TRANSFORMER="of texts"),
    )
    monkeypatch.setitem(sys.modules, "nncf", module)
    monkeypatch.setitem(sys.modules, "nncf.quantization", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "nncf.quantization.range_estimator", bounds)


def describe(options: Any) -> tuple[bool, bool, bool]:
    """Return whether a way is of texts, smooths, and corrects the mean of what a layer gives."""
    advanced = options["advanced_parameters"]
    assert advanced.activations_range_estimator_params == "all"
    alphas = getattr(advanced, "smooth_quant_alphas", None)
    if alphas is not None:
        # The library's word for not at all.
        assert (alphas.convolution, alphas.matmul) == (-1, -1)
    corrects_bias = not advanced.disable_bias_correction
    return options.get("model_type") == "of texts", alphas is None, corrects_bias


@pytest.mark.parametrize(
    ("mask", "ways"),
    [
        (None, [(False, True, False), (False, True, True)]),
        ("attention_mask", [(True, True, False), (True, False, False)]),
    ],
)
def test_texts_are_tried_with_and_without_smoothing_and_others_with_a_corrected_mean(
    mask: str | None, ways: list[tuple[bool, bool, bool]]
) -> None:
    card: Any = SimpleNamespace(mask=mask)
    assert [describe(options) for options in quantisation._list_ways(card)] == ways
