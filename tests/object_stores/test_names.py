"""A name of a model's version in an object store moves by compare-and-set, as on a disk."""

import threading

import pytest

from configs.errors import PublishError
from pipelines import promote
from pipelines.cli.command_line import run_program
from pipelines.versions.names import Move, Pointer, list_names, move, read_pointer, resolve
from tests.support.builders import tiny_package

pytestmark = pytest.mark.usefixtures("machine")


def to(version: str) -> Move:
    return Move(kind="promote", version=version, digest="0" * 64, by="ada", at="2026-01-31")


def test_of_many_at_once_one_moves_it(bucket: str) -> None:
    folder = f"{bucket}/models/churn"
    # First there is none yet, then there is one.
    for _ in range(2):
        pointer = read_pointer(folder, "champion")
        refused: list[PublishError] = []

        def try_it(version: str, seen: Pointer, refused: list[PublishError]) -> None:
            try:
                move(seen, to(version))
            except PublishError as error:
                refused.append(error)

        threads = [
            threading.Thread(target=try_it, args=(str(number), pointer, refused))
            for number in range(1, 5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == len(threads) - 1
    assert len(read_pointer(folder, "champion").moves) == 2
    assert list_names(folder) == ["champion"]


def test_a_version_is_promoted_and_taken_back(bucket: str) -> None:
    folder = f"{bucket}/models/churn"
    for version in ("1", "2"):
        tiny_package(f"{folder}/{version}", version=version)
        assert run_program(promote.main, [f"{folder}/{version}", "--as", "champion"]) == 0
    assert resolve(f"{folder}@champion").url == f"{folder}/2"
    assert run_program(promote.main, [folder, "--as", "champion", "--roll_back"]) == 0
    assert resolve(f"{folder}@champion").url == f"{folder}/1"
