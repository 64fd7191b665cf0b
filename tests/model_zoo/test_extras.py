"""What is not installed is refused in the caller's words."""

import math

import pytest

from configs.errors import JobError
from model_zoo.extras import import_extra


def test_what_is_installed_is_imported() -> None:
    assert import_extra("math", "unused") is math


def test_what_is_not_installed_is_refused_in_the_callers_words() -> None:
    with pytest.raises(JobError, match=r"^install the extra$") as caught:
        import_extra("a_library_that_nobody_has", "install the extra")
    assert isinstance(caught.value.__cause__, ImportError)
