"""Every section of every job: nothing in it changes once it is read, and no key in it is passed over."""

from importlib import import_module
from pathlib import Path
import pkgutil

from pydantic import BaseModel
import pytest

import configs

MODULES = [
    import_module(f"configs.{module.name}") for module in pkgutil.iter_modules(configs.__path__)
]
SECTIONS = sorted(
    {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, BaseModel)
        # Neither pydantic's own, nor the generic ones with their parameters filled in.
        and value.__module__ == module.__name__
    },
    key=lambda section: f"{section.__module__}.{section.__name__}",
)


def test_all_files_of_the_room_are_looked_at() -> None:
    files = {path.stem for path in Path(configs.__path__[0]).glob("*.py")} - {"__init__"}
    assert {module.__name__.removeprefix("configs.") for module in MODULES} == files
    assert len(SECTIONS) > 15


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_a_section_is_frozen_and_takes_no_unknown_key(section: type[BaseModel]) -> None:
    assert section.model_config["frozen"] is True
    assert section.model_config["extra"] == "forbid"
