"""Forked children are as those that an engine starts."""

import os
import socket

import psutil
import pytest

from tests.support.children import ForkedChild
from tests.support.fork_server import CHILDREN_ADDRESS

pytestmark = pytest.mark.usefixtures("forked_children")


def make_child() -> tuple[ForkedChild, socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        child = ForkedChild(os.environ[CHILDREN_ADDRESS], {"most_bytes": "100"}, [theirs.fileno()])
    return child, ours


def test_a_child_ends_with_its_connections() -> None:
    child, connection = make_child()
    connection.close()
    # It had loaded nothing yet.
    assert child.wait() == 1


def test_a_child_ends_with_whoever_asked_for_it() -> None:
    child, connection = make_child()
    process = psutil.Process(child.pid)
    with connection:
        child.let_go()
        ended = psutil.wait_procs([process], timeout=120)
    assert ended == ([process], [])


def test_a_child_that_is_killed_says_by_what() -> None:
    child, connection = make_child()
    with connection:
        child.kill()
        assert child.wait() == -9
    # Once more is no error.
    child.kill()
