"""The table of summaries: a new one is a file in this folder, and its line here."""

from importlib import import_module
import re
from typing import Any

from configs.suggest import nearest
from configs.user_code import why_not

# By the word of the job, what makes one of a plan's columns: `module:attribute`. Imported only when
# asked for, as in the table of formats.
SUMMARIES = {
    "profile": "transforms.summaries.profile:make_profile",
}
# A module's dotted name, and something of it that is not private.
_USERS_OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z]\w*")


def check_summary_name(name: str) -> str:
    """Return the name of a summary that there is, or that is a user's own.

    Raises:
        ValueError: it is neither.
    """
    if name in SUMMARIES:
        return name
    if _USERS_OWN.fullmatch(name) is None:
        raise ValueError(
            f"{name!r} is no summary, nor module:callable{nearest(name, [*SUMMARIES])}"
        )
    module, _, _ = name.partition(":")
    reason = why_not(module)
    if reason:
        raise ValueError(
            f"summary {name}: {reason}; name one that you wrote, in a module of your own"
        )
    return name


def import_maker(name: str) -> Any:
    """Import what makes a summary, by its word."""
    module, _, attribute = SUMMARIES[name].partition(":")
    return getattr(import_module(module), attribute)
