"""The table of summaries: a new one is a file in this folder, and its line here."""

from importlib import import_module
from typing import Any

# By the word of the job, what makes one of a plan's columns: `module:attribute`. Imported only when
# asked for, as in the table of formats.
SUMMARIES = {
    "profile": "transforms.summaries.profile:make_profile",
}


def import_maker(name: str) -> Any:
    """Import what makes a summary, by its word."""
    module, _, attribute = SUMMARIES[name].partition(":")
    return getattr(import_module(module), attribute)
