"""What a model's server gives whoever asks it as fast as can be: asynchronous clients that send the same bytes again and again.

They check nothing, read no rows and write none: no job can be faster than the server is with them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
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


def measure(protocol: str, url: str, features: np.ndarray, in_flight: int, seconds: float) -> float:
    """Return how many rows a server scores in a second.

    Args:
        protocol: `oip-grpc`, or `oip-http` in JSON.
        url: of the server.
        features: (rows, columns) of each request.
        in_flight: requests that are open at a time.
        seconds: how long is measured.
    """
    connect = _grpc if protocol == "oip-grpc" else _http
    requests = asyncio.run(_count(connect(url, features), in_flight, seconds))
    return requests * len(features)


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
async def _grpc(url: str, features: np.ndarray):
    request = grpc_request(features)
    async with grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel:
        call = channel.unary_unary(_METHOD)
        yield lambda: call(request)


def grpc_request(features: np.ndarray) -> bytes:
    """Return the bytes of a request for these rows."""
    request = MESSAGES["ModelInferRequest"](model_name="churn", id="one")
    request.inputs.add(name="features", datatype="FP32", shape=features.shape)
    request.raw_input_contents.append(features.tobytes())
    return request.SerializeToString()


@asynccontextmanager
async def _http(url: str, features: np.ndarray):
    tensor = {"name": "features", "datatype": "FP32", "shape": features.shape}
    content = json.dumps({"id": "one", "inputs": [{**tensor, "data": features.ravel().tolist()}]})
    headers = {"Content-Type": "application/json"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:
        path = f"{url}/v2/models/churn/infer"

        async def send() -> None:
            answer = await client.post(path, content=content)
            answer.raise_for_status()

        yield send
