"""Failures of libraries in a few words, and libraries that are installed and do not start."""

import pytest

from configs.errors import ModelError
from model_zoo.engines.failures import shorten_failure, start_library


def test_a_failure_is_one_line_of_at_most_three_hundred_characters() -> None:
    assert shorten_failure(ValueError("  a\n\tb  c ")) == "a b c"
    assert shorten_failure(ValueError("")) == "ValueError"
    assert shorten_failure(ValueError("x" * 301)) == "x" * 300


def test_what_a_library_starts_with_is_what_comes_back() -> None:
    assert start_library("openvino", "openvino", lambda: 3) == 3


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_a_library_that_does_not_start_is_not_the_package_s_fault(error: type[Exception]) -> None:
    def start() -> None:
        raise error("libtbb.so.12: cannot\nopen")

    with pytest.raises(ModelError) as raised:
        start_library("openvino", "extra", start)
    assert str(raised.value) == (
        "engine openvino is installed here and does not start: libtbb.so.12: cannot open; install "
        "its extra again where workers run: pip install --force-reinstall '.[extra]'"
    )
