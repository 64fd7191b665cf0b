"""Delta logs that contradict themselves, are spoilt, or were made up: each ends in one line, or gives the rows that there are."""

from collections.abc import Callable
import json
from pathlib import Path
import random
import shutil
from typing import Any

import pytest

from tests.support.delta_tables import actions_of, commit
from tests.support.jobs import Outcome, small_table

deltalake = pytest.importorskip("deltalake")
Score = Callable[..., Outcome]
DELTA = {"source.format": "delta"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of two rows each."""
    made = tmp_path_factory.mktemp("written") / "t"
    for number in range(2):
        deltalake.write_deltalake(str(made), small_table(2, first=2 * number), mode="append")
    return made


@pytest.fixture
def table(written: Path, tmp_path: Path) -> Path:
    """The same files, for this test alone."""
    return shutil.copytree(written, tmp_path / "t")


def ids(outcome: Outcome) -> list[int]:
    return outcome.rows()["id"].to_pylist()


def test_an_action_that_is_said_again_counts_once(table: Path, score_it: Score) -> None:
    (added, _) = actions_of(table, "add")
    commit(table, {"add": added}, {"add": added})
    assert ids(score_it(table, settings=DELTA)) == [0, 1, 2, 3]


def test_what_was_never_added_may_be_removed(table: Path, score_it: Score) -> None:
    """As the protocol has it: what is removed may be forgotten by then."""
    commit(table, {"remove": {"path": "never.parquet", "dataChange": True}})
    assert ids(score_it(table, settings=DELTA)) == [0, 1, 2, 3]


def test_a_file_may_come_back(table: Path, score_it: Score) -> None:
    (added, _) = actions_of(table, "add")
    commit(table, {"remove": {"path": added["path"], "dataChange": True}})
    assert ids(score_it(table, settings=DELTA)) == [2, 3]
    commit(table, {"add": added})
    assert ids(score_it(table, settings=DELTA)) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["metaData", "protocol"])
def test_a_commit_says_of_the_table_one_thing_at_most(
    kind: str, table: Path, score_it: Score
) -> None:
    (told,) = actions_of(table, kind)
    commit(table, {kind: told}, {kind: told})
    score_it(table, settings=DELTA).refused(f"its commit 2 holds 2 actions {kind}")


def test_the_newest_protocol_holds(table: Path, score_it: Score) -> None:
    """What a table needed once and needs no more is no reason to refuse it."""
    features = {"readerFeatures": ["timeTravel9"], "writerFeatures": ["timeTravel9"]}
    commit(table, {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}})
    score_it(table, settings=DELTA).refused("timeTravel9")
    commit(table, {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
    assert ids(score_it(table, settings=DELTA)) == [0, 1, 2, 3]


def test_a_gap_is_told(table: Path, score_it: Score) -> None:
    commit(table)
    commit(table)
    (table / "_delta_log/00000000000000000002.json").unlink()
    score_it(table, settings=DELTA).refused("its log lacks 00000000000000000002.json")
    assert ids(score_it(table, settings=DELTA | {"source.version": 1})) == [0, 1, 2, 3]
    (table / f"_delta_log/{'9' * 20}.json").write_text("")
    score_it(table, settings=DELTA).refused("its log lacks 00000000000000000002.json")


def with_vector(added: dict[str, Any], **more: Any) -> dict[str, Any]:
    vector = {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 1}
    vector |= {"sizeInBytes": 40, "cardinality": 1}
    return {**added, "deletionVector": {**vector, **more}}


@pytest.mark.parametrize(
    "more",
    [
        {"sizeInBytes": -1}, {"sizeInBytes": 1 << 62}, {"sizeInBytes": "x"}, {"sizeInBytes": 1e300},
        {"offset": -5}, {"offset": 1 << 62}, {"offset": [1]}, {"cardinality": -1}, {"cardinality": None},
        {"storageType": "p", "pathOrInlineDv": "/etc/passwd"}, {"storageType": "p", "pathOrInlineDv": "../x"},
        {"storageType": "u", "pathOrInlineDv": "../" + "0" * 20}, {"storageType": "x"},
        {"storageType": "i", "pathOrInlineDv": "0" * 4}, {"storageType": "i", "pathOrInlineDv": "0" * 5},
        {"storageType": "i", "pathOrInlineDv": "", "sizeInBytes": 0}, {"pathOrInlineDv": 3},
        {"storageType": "i", "sizeInBytes": -3, "pathOrInlineDv": "0" * 50},
    ],
)  # fmt: skip
def test_a_vector_that_is_none_is_told(more: dict[str, Any], table: Path, score_it: Score) -> None:
    (added, _) = actions_of(table, "add")
    commit(table, {"remove": {"path": added["path"]}}, {"add": with_vector(added, **more)})
    score_it(table, settings=DELTA).refused(str(table))


def test_sizes_that_are_made_up_change_nothing(table: Path, score_it: Score) -> None:
    """What a file holds its footer says."""
    (added, _) = actions_of(table, "add")
    stats = json.dumps({"numRecords": -7})
    commit(table, {"add": {**added, "size": -1, "modificationTime": "x", "stats": stats}})
    outcome = score_it(table, settings=DELTA)
    assert ids(outcome) == [0, 1, 2, 3]
    assert outcome.manifest["rows"]["in"] == 4


def test_a_table_that_is_vacuumed_meanwhile(
    table: Path, score_it: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is there when the run is planned, and gone when it is read."""
    from transforms.formats import held_shards
    from transforms.formats.table_files import TableFormat

    # As of a large file: a small one is held in memory before its first row is given.
    monkeypatch.setattr(held_shards, "_SMALL_BYTES", 1)
    (added, _) = actions_of(table, "add")
    file = table / added["path"]
    read = TableFormat.read

    def read_later(*words: Any) -> Any:
        file.unlink(missing_ok=True)
        return read(*words)

    monkeypatch.setattr(TableFormat, "read", read_later)
    score_it(table, settings=DELTA).refused(str(file))


TRIALS = 150
WORDS = [
    None,
    True,
    -1,
    1 << 70,
    1e400,
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
    {"a": {}},
    "../x",
    "%2e%2e/x",
    "\0",
]


def spoil(chance: random.Random, value: Any) -> Any:
    """Return a value with something else in some place of it."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        return {**value, key: spoil(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.9:
        place = chance.randrange(len(value))
        return [*value[:place], spoil(chance, value[place]), *value[place + 1 :]]
    return chance.choice(WORDS)


@pytest.mark.slow
def test_whatever_a_log_says_ends_in_one_line_or_in_rows(table: Path, score_it: Score) -> None:
    chance = random.Random(6)  # noqa: S311
    log = table / "_delta_log"
    (first, second) = sorted(log.glob("*.json"))
    lines = [json.loads(line) for line in second.read_text().splitlines()]
    heads = [json.loads(line) for line in first.read_text().splitlines()]
    actions = [action for action in (*heads, *lines) if "commitInfo" not in action]
    for _ in range(TRIALS):
        action = chance.choice(actions)
        spoilt = spoil(chance, action)
        text = json.dumps(spoilt)
        if chance.random() < 0.2:
            text = text[: chance.randrange(len(text))]
        path = log / f"{2:020}.json"
        path.write_text(text + "\n")
        settings = DELTA | ({"source.where": "id > 1"} if chance.random() < 0.5 else {})
        outcome = score_it(table, settings=settings)
        assert outcome.status in (0, 2, 3), (text, outcome.error)
        if outcome.status:
            assert outcome.error.count("\n") <= 1, (text, outcome.error)
            assert "internal" not in outcome.error, (text, outcome.error)
        path.unlink()
