"""How many tasks a Flink cluster computes at once, as its own REST API tells.

Apart from what else is done with a cluster, as a profile asks for it before Beam is imported.
"""

from functools import cache
import json
from urllib.request import urlopen

from configs.errors import JobError

# A cluster that starts beside the job may take a moment.
_OVERVIEW_SECONDS = 10


# Asked twice on a way: to show the profile, and to use it.
@cache
def count_slots(master: str) -> int:
    """Return the task slots of a Flink cluster, as its REST API tells.

    Raises:
        JobError: it does not.
    """
    url = f"{make_url(master)}/overview"
    try:
        with urlopen(url, timeout=_OVERVIEW_SECONDS) as answer:  # noqa: S310 - the user's own
            overview = json.load(answer)
        slots = int(overview["slots-total"])
        return max(1, slots)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobError(
            f"--flink_master {master}: does not tell its number of task slots ({error}); "
            "start the cluster, correct the address, or give --parallelism"
        ) from error


def make_url(master: str) -> str:
    """Return the URL of a cluster, `host:port` as a rule, without a slash at its end."""
    url = master
    if "://" not in master:
        url = f"http://{master}"
    return url.rstrip("/")
