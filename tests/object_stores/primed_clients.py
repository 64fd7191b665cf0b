"""Whoever imports this reads what clients of S3 are told about the service once, and waits less before a request is sent again.

Tests make hundreds of clients, since each server and proxy has its own, and a client takes a fourteenth of a second to read and parse a
MiB of JSON. What it holds is botocore's own, and nothing changes it. After an answer that was lost gcsfs would wait for one to two
seconds; how often it asks, and what it asks again, stays its own. Processes that are forked have it already.
"""

import asyncio
from functools import lru_cache
from importlib.util import find_spec
from types import SimpleNamespace

_OF_ALL = ("endpoints", "partitions", "sdk-default-configuration", "_retry")
_OF_S3 = ("service-2", "endpoint-rule-set-1")
_SHARE_OF_A_PAUSE = 0.02

if find_spec("botocore"):
    import botocore.session

    make_once = lru_cache(maxsize=1)(botocore.session.create_loader)
    vars(botocore.session)["create_loader"] = make_once
    # Without a place of the user's own, as clients of tests ask for it.
    loader = make_once(None)
    for name in _OF_ALL:
        loader.load_data(name)
    for name in _OF_S3:
        loader.load_service_model("s3", name)


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds * _SHARE_OF_A_PAUSE)


if find_spec("gcsfs"):
    import gcsfs.retry

    # All that this module asks asyncio for.
    vars(gcsfs.retry)["asyncio"] = SimpleNamespace(sleep=_pause)
