"""`CURRENT`, the one name of an output that moves, and what it promises.

It moves by compare-and-set, and only to what a later launch decided: a launcher that was paused,
wherever that was, cannot lead readers back to what an older plan made. The file tells when the
launch was planned that decided it (`storage.stamped`), so nothing is asked of any other file.
"""

from datetime import UTC, datetime, timedelta
import errno

from storage import files, stamped
from storage.layout import is_published
from storage.lock import hold_current
from storage.output_names import CURRENT, RUNS, SCORED, is_scored_folder
from storage.run_folder import LINK, RunFolder, is_plain

# Each time somebody else has moved it, so more launchers than that end at one moment.
_ATTEMPTS = 100
# The finest step of a plan's time.
_TICK = timedelta(microseconds=1)


def take_plan_time(output: str) -> datetime:
    """Return the time of a launch that begins now, before it looks at its inputs.

    It is later than that of the launch that decided CURRENT, whatever the clocks of both say.
    """
    now = datetime.now(UTC)
    current = files.join(output, CURRENT)
    standing = stamped.read(current)
    if standing is None:
        return now
    return max(now, standing.decided_at + _TICK)


def make_current(run: RunFolder, planned_at: datetime) -> str | None:
    """Point readers at a published run, durably, unless a later launch decided otherwise.

    Args:
        run: the run.
        planned_at: when the launch was planned that asks for it.

    Returns:
        The id of the run that readers stay with, because a later launch decided that; else None.
    """
    if not files.is_local(run.output):
        return _move(run, planned_at, scratch="")
    newer = _move_on_disk(run, planned_at)
    # Again: whoever gave a name that is found standing may have failed to.
    files.sync_folder(run.output)
    return newer


def _move_on_disk(run: RunFolder, planned_at: datetime) -> str | None:
    for attempt in range(_ATTEMPTS):
        try:
            with hold_current(run.output) as scratch:
                newer = _move(run, planned_at, scratch)
                _link_current(run, scratch)
                return newer
        except FileNotFoundError:
            # This process was stopped for so long that another one took the lock.
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def _move(run: RunFolder, planned_at: datetime, scratch: str) -> str | None:
    """Move CURRENT; return the id of the run that it stays with, if it does."""
    current = files.join(run.output, CURRENT)
    content = f"{run.run_id}\n".encode()
    runs = files.join(run.output, RUNS)
    for _ in range(_ATTEMPTS):
        before = stamped.read(current)
        if before is not None and before.decided_at >= planned_at and before.content == content:
            return None
        if before is not None and before.decided_at > planned_at:
            newer = _find_published(run.output, before.content)
            if newer is not None:
                return newer
        # All that readers follow from there is durable before.
        for folder in (run.published, runs, run.output):
            files.sync_folder(folder)
        if stamped.replace(current, content, planned_at, before, scratch):
            return None
    raise OSError(errno.EBUSY, "others moved it again and again", current)


def _find_published(output: str, content: bytes) -> str | None:
    """Return the id that CURRENT holds; None where readers have nothing to stay with."""
    run_id = content.decode(errors="replace").strip()
    if not is_plain(run_id):
        return None
    run = RunFolder(output, run_id)
    if not is_published(run):
        return None
    return run_id


def _link_current(run: RunFolder, scratch: str) -> None:
    """Let the link follow CURRENT."""
    current = files.join(run.output, CURRENT)
    content = files.read(current) or b""
    run_id = content.decode().strip()
    link = files.join(run.output, LINK)
    target = _find_target(run.output, run_id)
    if files.read_link(link) != target:
        files.link_folder(link, target, scratch)


def _find_target(output: str, run_id: str) -> str:
    """Return where the link leads, seen from the output."""
    target = f"{RUNS}/{run_id}"
    run = RunFolder(output, run_id)
    names = files.list_names(run.published)
    # The parts of a run of an earlier version are in its own folder.
    if is_scored_folder(SCORED, names):
        target = f"{target}/{SCORED}"
    return target
