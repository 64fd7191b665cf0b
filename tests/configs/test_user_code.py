"""Whose a module is, told by its name."""

import pytest

from configs.errors import JobError
from configs.user_code import OUR_PACKAGES, import_attribute, where_it_failed, why_not


@pytest.mark.parametrize("module", ["os", "os.path", "json.tool", "subprocess", "_thread"])
def test_pythons_own(module: str) -> None:
    assert why_not(module) == f"{module.partition('.')[0]} is Python's own"


@pytest.mark.parametrize("package", OUR_PACKAGES)
def test_this_programs(package: str) -> None:
    assert (
        why_not(package)
        == why_not(f"{package}.deeper")
        == f"{package} is a package of this program"
    )


@pytest.mark.parametrize(
    "module",
    [
        "torch.hub",
        "numpy",
        "apache_beam.io",  # a name with a dash on an index
        "yaml",  # of another name on an index
        "PIL",
        "sklearn",
        "dateutil",  # what pandas needs
        "_cffi_backend",  # one file, no folder, what an indirect requirement needs
        "typing_extensions",
        "pip",
        "setuptools",
        "pkg_resources",
        "wheel",
        "__main__",
    ],
)
def test_libraries_that_the_program_needs_however_indirectly(module: str) -> None:
    assert why_not(module) == f"{module.partition('.')[0]} is a library that this program needs"


@pytest.mark.parametrize(
    "module", ["my_package", "my_package.os", "torch_extras", "osmnx", "pytest"]
)
def test_a_users_own_and_libraries_that_it_does_not_need(module: str) -> None:
    assert why_not(module) is None


def test_a_name_that_a_module_has_not_is_told_with_the_nearest() -> None:
    with pytest.raises(JobError, match=r"tests\.configs has no 'tset_job'"):
        import_attribute("tests.configs:tset_job", "step")
    with pytest.raises(JobError, match="has no 'tabel'; did you mean"):
        import_attribute("pyarrow:tabel", "step")


def test_a_file_in_place_of_a_module_is_told_how_to_write_it() -> None:
    with pytest.raises(JobError, match="write it as Python imports it"):
        import_attribute("churn_net.py:ChurnNet", "network")


def fail() -> None:
    raise KeyError("a value of the row")


def test_an_error_is_told_by_its_class_and_the_line_of_the_users_file() -> None:
    with pytest.raises(KeyError) as caught:
        fail()
    line = fail.__code__.co_firstlineno + 1
    told = where_it_failed(caught.value, __file__)
    assert told == f"KeyError in line {line} of test_user_code.py"
    # Met elsewhere, or never raised.
    assert where_it_failed(caught.value, "/other.py") == "KeyError"
    assert where_it_failed(ValueError("a value"), __file__) == "ValueError"
