"""What `pipelines.promote` moves, says and refuses, and that a run follows the name and tells of it."""

from collections.abc import Callable
import json
from pathlib import Path
import shutil
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_zoo.package.package import CARD, read_package
from pipelines import promote
from pipelines.cli.command_line import run_program
from tests.support.builders import FEATURES, tiny_package
from tests.support.jobs import run_job, write_job
from tests.support.without_beam import run_without_beam

Said = Callable[[], str]


@pytest.fixture
def churn(tmp_path: Path) -> Path:
    """A folder with two versions of a model."""
    for version in ("1", "2"):
        tiny_package(tmp_path / "churn" / version, version=version)
    return tmp_path / "churn"


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What was said since this was called last."""

    def read() -> str:
        captured = capsys.readouterr()
        return captured.out + captured.err

    return read


def run(*words: Any) -> int:
    return run_program(promote.main, [str(word) for word in words])


def standing(churn: Path, name: str = "champion") -> dict[str, Any]:
    moves = json.loads((churn / f"names/{name}.json").read_text())["moves"]
    last: dict[str, Any] = moves[-1]
    return last


def test_a_version_is_promoted_and_taken_back_with_who_when_and_why(
    churn: Path, said: Said
) -> None:
    assert run(churn / "1", "--as", "champion") == 0
    assert "champion: no version -> 1" in said()
    assert run(churn / "2/", "--as", "champion", "--why", "better in May", "--by", "ada") == 0
    moved = standing(churn)
    assert (moved["version"], moved["by"], moved["why"]) == ("2", "ada", "better in May")
    assert moved["digest"] == read_package(str(churn / "2")).digest
    assert moved["at"].startswith("20")
    said()
    assert run(churn, "--as", "champion", "--roll_back", "--why", "worse in June") == 0
    assert "champion: 2 -> 1" in said()
    assert run(churn) == 0
    lines = said().splitlines()
    assert lines[0].endswith("versions 1, 2")
    assert lines[1] == "champion: 1"
    assert lines[2].endswith(": worse in June")
    assert "rolled back to 1 by" in lines[2]
    assert lines[3].endswith("promoted 2 by ada: better in May")
    assert len(lines) == 5


def test_promoting_what_stands_there_changes_nothing(churn: Path, said: Said) -> None:
    assert run(churn / "1", "--as", "champion") == 0
    before = (churn / "names/champion.json").read_bytes()
    said()
    assert run(churn / "1", "--as", "champion") == 0
    assert "points to 1 already" in said()
    assert (churn / "names/champion.json").read_bytes() == before


def test_a_name_gives_its_version_another_name(churn: Path) -> None:
    assert run(churn / "2", "--as", "candidate") == 0
    assert run(f"{churn}@candidate", "--as", "champion") == 0
    assert standing(churn)["version"] == "2"


def test_nothing_before_is_no_way_back(churn: Path, said: Said) -> None:
    assert run(churn, "--as", "champion", "--roll_back") == 3
    assert "points to no version, and nothing was promoted before" in said()
    assert not (churn / "names").exists()


def test_a_way_back_that_is_gone_or_altered_is_refused(churn: Path, said: Said) -> None:
    for version in ("1", "2"):
        assert run(churn / version, "--as", "champion") == 0
    shutil.rmtree(churn / "1")
    assert run(churn, "--as", "champion", "--roll_back") == 3
    tiny_package(churn / "1", version="other")
    said()
    assert run(churn, "--as", "champion", "--roll_back") == 3
    assert "is not the package any more that was promoted on" in said()
    assert standing(churn)["version"] == "2"


def test_what_is_no_whole_package_is_not_promoted(churn: Path, said: Said) -> None:
    weights = churn / "1/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert run(churn / "1", "--as", "champion") == 3
    assert run(churn / "gone", "--as", "champion") == 3
    assert run(churn, "--as", "champion") == 3
    assert not (churn / "names").exists()


@pytest.mark.parametrize(
    "words",
    [["--as", "../x"], ["--as", "1"], ["--roll_back"], ["--as", "champion", "--rollback"]],
)
def test_words_that_mean_nothing_are_refused(churn: Path, words: list[str]) -> None:
    assert run(churn / "1", *words) == 2
    assert not (churn / "names").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--why", "better"], "--why needs --as NAME"),
        (["--metric", "accuracy"], "--metric needs --as NAME"),
        (["--as", "champion", "--margin", "0"], "--margin needs --metric NAME"),
        (["--as", "champion", "--evaluation", "f"], "--evaluation needs --metric NAME"),
        (["--as", "champion", "--roll_back", "--metric", "r2"], "--roll_back asks for no figures"),
    ],
)
def test_a_flag_that_would_change_nothing_is_refused(
    churn: Path, words: list[str], told: str, said: Said
) -> None:
    """Without, a version was promoted unasked, or none was, with status 0."""
    assert run(churn / "1", *words) == 2
    assert told in said()
    assert not (churn / "names").exists()


def test_an_empty_folder_says_how_a_version_is_made(tmp_path: Path, said: Said) -> None:
    assert run(tmp_path) == 3
    assert "holds no versions of a model; pack one with" in said()


def test_a_run_follows_the_name_and_its_manifest_says_both(
    churn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_without_beam(monkeypatch)
    (tmp_path / "shards").mkdir()
    columns = {name: pa.array([0.1, 0.2]) for name in FEATURES}
    pq.write_table(pa.table({"id": [1, 2], **columns}), tmp_path / "shards/a.parquet")
    job = write_job(tmp_path, f"{churn}@champion")
    run_job(job).refused("has no version of that name", "pipelines.promote")

    assert run(churn / "1", "--as", "champion") == 0
    first = run_job(job).manifest
    assert first["job"]["model"]["package"] == f"{churn}@champion"
    assert first["model"]["package"] == str(churn / "1")
    assert first["model"]["digest"] == standing(churn)["digest"]

    assert run(churn / "2", "--as", "champion") == 0
    assert run_job(job).manifest["model"]["version"] == "2"
    # The same work, by name or by folder, is the same run.
    assert run(churn, "--as", "champion", "--roll_back") == 0
    again = run_job(job, "--model", str(churn / "1")).manifest
    assert again["started_at"] == first["started_at"]

    card = churn / "1" / CARD
    card.write_text(card.read_text().replace("name: tiny", "name: other"))
    refused = run_job(job, output=tmp_path / "other")
    refused.refused("is not the package any more that was promoted", "pack it as another version")


def test_a_promotion_that_depends_on_figures(churn: Path, tmp_path: Path, said: Said) -> None:
    def write(name: str, version: str, accuracy: float) -> str:
        digest = read_package(str(churn / version)).digest
        of = {"model": "tiny", "model_digest": digest, "labels_sha256": "a"}
        (tmp_path / name).write_text(json.dumps({"accuracy": accuracy, "of": of}))
        return str(tmp_path / name)

    first = write("1.json", "1", 0.75)
    second = write("2.json", "2", 0.875)
    gate = ("--as", "champion", "--metric", "accuracy")
    assert run(churn / "1", *gate) == 2
    assert run(churn / "1", *gate, "--evaluation", first) == 0
    figures = ("--evaluation", second, "--standing_evaluation", first)
    said()
    assert run(churn / "2", *gate, *figures, "--margin", "0.25") == 6
    assert "accuracy is 0.875, and 0.75 of version 1, which stands: better by 0.125" in said()
    assert standing(churn)["version"] == "1"
    assert run(churn / "2", *gate, *figures, "--margin", "0.125") == 0
    assert standing(churn)["gate"] == {
        "metric": "accuracy",
        "margin": 0.125,
        "figure": 0.875,
        "standing": 0.75,
    }
    assert run(churn / "2", *gate, *figures, "--margin", "nan") == 2
