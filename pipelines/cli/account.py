"""Who calls a program, for what is kept of a decision."""

import getpass


def find_user() -> str:
    """Return the name of the account that this process runs under."""
    # A container may run under a number that has no name.
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
