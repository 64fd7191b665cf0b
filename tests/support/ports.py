"""Ports for servers that must be told theirs before they start."""

from collections.abc import Iterator
from pathlib import Path
import random
import socket

# Below those of the usual services' and of this project's examples nobody is asked for one.
_LOWEST = 20_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 100


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port of an address that nobody listens on.

    Linux gives none of these to who asks for any port, as each connection and each run of a pipeline does. One of its own
    choice would be given to somebody else now and then in the seconds until the server that it is for listens.

    Args:
        address: of this machine.
    """
    return next(filter(None, (_try(address, port) for port in _ports())))


def _ports() -> Iterator[int]:
    first_of_linux = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 0
    if first_of_linux > _LOWEST:
        # Others choose at the same time, so not one after the other.
        yield from random.SystemRandom().sample(range(_LOWEST, first_of_linux), _TRIES)
    yield 0


def _try(address: str, port: int) -> int | None:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return None
        chosen: int = probe.getsockname()[1]
        return chosen
