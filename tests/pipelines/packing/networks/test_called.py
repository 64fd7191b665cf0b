"""Why a network cannot be called: the likeliest reason, and whether other dtypes were tried."""

from configs.errors import InputError, ModelError
from pipelines.packing.networks.called import _refuse_all


def test_one_reason_is_told_as_it_is() -> None:
    error = ModelError("it does not take them")
    assert _refuse_all([error]) is error


def test_of_several_the_first_is_told_and_that_there_were_others() -> None:
    told = _refuse_all([InputError("a row is too long"), ModelError("it does not take them")])
    assert type(told) is InputError
    assert str(told).startswith("a row is too long; other dtypes were tried, too")
