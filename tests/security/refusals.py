"""What a run showed on the terminal, and what may be said when it is refused."""

Shown = tuple[int, str]


def refused(shown: Shown, *statuses: int) -> str:
    """Return the one plain line of a refusal.

    It is the last one. In this process the runner's threads write tracebacks before it, which a process of its own sends nowhere.

    Args:
        shown: the exit status, and all that was written to the terminal.
        statuses: those that are right; 3 unless others are named.
    """
    status, text = shown
    assert status in (statuses or (3,)), text
    *before, line = text.splitlines()
    assert not [other for other in before if other.startswith("error: ")], text
    assert line.startswith("error: ")
    assert "internal error" not in line
    assert len(line) < 2_000
    return line
