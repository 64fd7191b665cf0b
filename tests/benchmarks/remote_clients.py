"""What a model's server gives whoever asks it as fast as can be: asynchronous clients whose requests are made before the clock starts.

They check nothing, read no rows and write none: no job can be faster than the server is with them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
import json
import time

import grpc.aio
import httpx
import numpy as np

from model_zoo.remote.oip_messages import MESSAGES, SERVICE

Send = Callable[[], Awaitable[object]]
_METHOD = f"/{SERVICE}/ModelInfer"
# No request is for a result that somebody waits for.
_WARM_UP = 50


def measure(
    protocol: str, url: str, batches: Sequence[np.ndarray], in_flight: int, seconds: float
) -> float:
    """Return how many rows a server scores in a second.

    Args:
        protocol: `oip-grpc`, or `oip-http` in JSON.
        url: of the server.
        batches: (rows, columns) of each request; after the last one comes the first again.
        in_flight: requests that are open at a time.
        seconds: how long is measured.
    """
    connect = _grpc if protocol == "oip-grpc" else _http
    requests = asyncio.run(_count(connect(url, batches), in_flight, seconds))
    return requests * len(batches[0])


async def _count(connected, in_flight: int, seconds: float) -> float:
    """Return requests per second."""
    async with connected as send:
        for _ in range(_WARM_UP):
            await send()
        begin = time.monotonic()
        counts = await asyncio.gather(*[_ask(send, begin + seconds) for _ in range(in_flight)])
        return sum(counts) / (time.monotonic() - begin)


async def _ask(send: Send, end: float) -> int:
    count = 0
    while time.monotonic() < end:
        await send()
        count += 1
    return count


@asynccontextmanager
async def _grpc(url: str, batches: Sequence[np.ndarray]):
    requests = cycle([grpc_request(features) for features in batches])
    async with grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel:
        call = channel.unary_unary(_METHOD)
        yield lambda: call(next(requests))


def grpc_request(features: np.ndarray) -> bytes:
    """Return the bytes of a request for these rows."""
    request = MESSAGES["ModelInferRequest"](model_name="churn", id="one")
    request.inputs.add(name="features", datatype="FP32", shape=features.shape)
    request.raw_input_contents.append(features.tobytes())
    return request.SerializeToString()


@asynccontextmanager
async def _http(url: str, batches: Sequence[np.ndarray]):
    contents = cycle([_http_content(features) for features in batches])
    headers = {"Content-Type": "application/json"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:
        path = f"{url}/v2/models/churn/infer"

        async def send() -> None:
            answer = await client.post(path, content=next(contents))
            answer.raise_for_status()

        yield send


def _http_content(features: np.ndarray) -> str:
    tensor = {"name": "features", "datatype": "FP32", "shape": features.shape}
    return json.dumps({"id": "one", "inputs": [{**tensor, "data": features.ravel().tolist()}]})
