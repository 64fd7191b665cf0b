"""Whose a module is, told by its name."""

import pytest

from configs.user_code import OUR_PACKAGES, why_not


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
