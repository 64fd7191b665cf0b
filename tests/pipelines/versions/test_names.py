"""Where a name points, who may move it, and what a file is refused for that nobody here has written."""

import json
from pathlib import Path
import threading
from typing import Any

import pytest

from configs.errors import ModelError, PublishError
from model_zoo.package.package import CARD, read_package
from pipelines.versions.names import (
    Move,
    is_name,
    is_version,
    list_names,
    list_versions,
    move,
    read_pointer,
    resolve,
    split_name,
)
from tests.support.builders import tiny_package

_DIGEST = "0" * 64


def to(version: str, kind: str = "promote", why: str = "") -> Move:
    fields: dict[str, Any] = {
        "kind": kind,
        "version": version,
        "digest": _DIGEST,
        "by": "ada",
        "at": "2026-01-31T02:00:00+00:00",
        "why": why,
    }
    return Move(**fields)


def give(folder: Path, *versions: str) -> None:
    for version in versions:
        move(read_pointer(str(folder), "champion"), to(version))


def find_standing(folder: Path) -> str:
    standing = read_pointer(str(folder), "champion").standing
    assert standing is not None
    return standing.version


def go_back(folder: Path) -> str:
    pointer = read_pointer(str(folder), "champion")
    before = pointer.find_before()
    assert before is not None
    move(pointer, to(before.version, "roll_back"))
    return before.version


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("models/churn@champion", ("models/churn", "champion")),
        ("models/churn/@champion", ("models/churn", "champion")),
        ("s3://bucket/churn@candidate-2", ("s3://bucket/churn", "candidate-2")),
        ("hdfs://me@host/models/churn@champion", ("hdfs://me@host/models/churn", "champion")),
        ("models/churn/1", None),
        ("s3://me@bucket/churn", None),
        ("models/a@b/1", None),
        ("models/churn@", None),
        ("models/churn@2.1", None),
        ("@champion", None),
        ("models/churn@@champion", None),
    ],
)
def test_a_name_stands_behind_the_last_slash(model: str, expected: tuple[str, str] | None) -> None:
    assert split_name(model) == expected


def test_what_can_be_a_name_or_a_version_stays_in_its_folder() -> None:
    bad = ["", "..", ".", "../x", "a/b", "-x", "a\n", "ä", "x" * 101, ".x"]
    assert not any(is_name(text) or is_version(text) for text in bad)
    assert is_name("champion")
    assert is_name("Blue-Green_2")
    assert not is_name("1")
    assert not is_name("a.b")
    assert is_version("1")
    assert is_version("2026.1-rc_2")


def test_a_name_points_to_what_it_was_given_last(tmp_path: Path) -> None:
    give(tmp_path, "1", "2")
    pointer = read_pointer(str(tmp_path), "champion")
    assert find_standing(tmp_path) == "2"
    assert [entry.version for entry in pointer.moves] == ["1", "2"]
    assert list_names(str(tmp_path)) == ["champion"]
    written = json.loads((tmp_path / "names/champion.json").read_text())
    assert written["moves"][0] == {
        "kind": "promote",
        "version": "1",
        "digest": _DIGEST,
        "by": "ada",
        "at": "2026-01-31T02:00:00+00:00",
        "why": "",
    }
    # Neither lock nor scratch stays.
    assert [path.name for path in (tmp_path / "names").iterdir()] == ["champion.json"]


def test_going_back_twice_goes_back_two_promotions(tmp_path: Path) -> None:
    give(tmp_path, "1", "2", "3")
    assert [go_back(tmp_path), go_back(tmp_path)] == ["2", "1"]
    assert read_pointer(str(tmp_path), "champion").find_before() is None
    give(tmp_path, "4")
    assert go_back(tmp_path) == "1"
    kinds = [entry.kind for entry in read_pointer(str(tmp_path), "champion").moves]
    assert kinds == ["promote"] * 3 + ["roll_back"] * 2 + ["promote", "roll_back"]


def test_a_name_that_moved_since_it_was_read_is_left_alone(tmp_path: Path) -> None:
    unread = read_pointer(str(tmp_path), "champion")
    give(tmp_path, "1")
    seen = read_pointer(str(tmp_path), "champion")
    with pytest.raises(PublishError, match="somebody else has moved champion"):
        move(unread, to("2"))
    give(tmp_path, "2")
    with pytest.raises(PublishError, match="somebody else has moved champion"):
        move(seen, to("3"))
    assert find_standing(tmp_path) == "2"


def test_of_many_at_once_one_moves_it(tmp_path: Path) -> None:
    give(tmp_path, "1")
    seen = read_pointer(str(tmp_path), "champion")
    refused: list[PublishError] = []

    def try_it(version: str) -> None:
        try:
            move(seen, to(version))
        except PublishError as error:
            refused.append(error)

    threads = [threading.Thread(target=try_it, args=(str(n),)) for n in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == len(threads) - 1
    assert len(read_pointer(str(tmp_path), "champion").moves) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"format": 2, "moves": []}',
        b'{"format": 1, "moves": []}',
        json.dumps({"moves": [{**to("1").model_dump(), "version": "../../1"}]}).encode(),
        json.dumps({"moves": [{**to("1").model_dump(), "digest": "x"}]}).encode(),
        json.dumps({"moves": [to("1", "roll_back").model_dump()]}).encode(),
        json.dumps({"moves": [to("1").model_dump(), to("1", "roll_back").model_dump()]}).encode(),
        b"\xff\xfe",
    ],
)
def test_a_file_that_nobody_here_has_written_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "names").mkdir()
    (tmp_path / "names/champion.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"champion\.json: .*put back the"):
        resolve(f"{tmp_path}@champion")


def test_a_name_leads_to_folder_and_digest(tmp_path: Path) -> None:
    url = tiny_package(tmp_path / "1")
    digest = read_package(url).digest
    pointer = read_pointer(str(tmp_path), "champion")
    move(pointer, to("1").model_copy(update={"digest": digest}))
    assert resolve(f"{tmp_path}@champion") == (f"{tmp_path}/1", digest)
    assert resolve(f"{tmp_path}/1") == (f"{tmp_path}/1", None)


def test_a_folder_that_is_called_so_is_found_as_before(tmp_path: Path) -> None:
    url = tiny_package(tmp_path / "churn@champion")
    assert resolve(url) == (url, None)


def test_a_name_that_nobody_gave_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there are no names yet; give it with python -m"):
        resolve(f"{tmp_path}@champion")
    give(tmp_path, "1")
    with pytest.raises(ModelError, match="there are champion; give it with"):
        resolve(f"{tmp_path}@candidate")


def test_versions_are_sorted_as_numbers(tmp_path: Path) -> None:
    for name in ("10", "2", "rc-1", "not-one", ".hidden"):
        (tmp_path / name).mkdir()
        if name != "not-one":
            (tmp_path / name / CARD).write_text("")
    (tmp_path / "1.job.yaml").write_text("")
    assert list_versions(str(tmp_path)) == ["2", "10", "rc-1"]
    assert list_versions(str(tmp_path / "gone")) == []
