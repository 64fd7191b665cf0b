"""Which flags are Beam's, and what of a command line is a flag and what its value."""

from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from configs.errors import JobError
from pipelines.runners import flags, quoted_flags
from pipelines.runners.flag_words import given_names, join_values, name_of
from pipelines.runners.flags import known_flags, unknown_flags
from pipelines.runners.quoted_flags import find_nobodys, list_quoted_flags


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    """Beam's flags are kept once they were collected; here they are collected for each test."""
    for kept in (known_flags, flags._beam_parser):
        kept.cache_clear()
    yield
    for kept in (known_flags, flags._beam_parser):
        kept.cache_clear()


def test_all_flags_of_beam_are_found_in_its_source() -> None:
    """Where one is not, it is refused without asking Beam."""
    quoted = list_quoted_flags()
    assert set(known_flags()) <= set(quoted)
    assert list(quoted) == sorted(quoted)
    other_spellings = ["--experiment=a", "--job-server-timeout=9", "--machine_type=m"]
    assert find_nobodys([*known_flags(), *other_spellings], quoted) == []
    assert find_nobodys(["--direct_num_worker=2", "2", "--region=r"], quoted) == [
        "--direct_num_worker=2",
        "2",
    ]


def test_where_beams_source_is_not_found_beam_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for spec in (None, ModuleSpec("beam", None), ModuleSpec("beam", None, origin=f"{tmp_path}/b")):
        monkeypatch.setattr(quoted_flags, "find_spec", lambda _, spec=spec: spec)
        assert list_quoted_flags() == ()
    assert find_nobodys(["--no_such=1"], ()) == []


def test_beams_flags_are_known_by_their_whole_names_and_help_is_none_of_them() -> None:
    known = known_flags()
    assert {"--direct_num_workers", "--flink_master", "--temp_location", "--object_reuse"} <= {
        *known
    }
    assert "--help" not in known
    assert list(known) == sorted(known)
    words = ["--direct_num_worker=2", "--direct_num_workers=2", "--help", "-h", "--object_reuse=1"]
    assert unknown_flags(words) == ["--direct_num_worker=2", "--help", "-h"]


def test_a_flag_of_the_job_server_needs_its_value() -> None:
    assert unknown_flags(["--object_reuse", "--no_such=1", "--flink_conf_dir=/a"]) == [
        "--object_reuse",
        "--no_such=1",
    ]


def test_a_value_that_beam_does_not_take_is_refused() -> None:
    with pytest.raises(JobError, match=r"^runner option: .*--direct_num_workers"):
        unknown_flags(["--direct_num_workers=many"])


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["--a", "1", "--b", "2"], ["--a=1", "--b=2"]),
        (["--a", "--b", "2"], ["--a", "--b=2"]),
        (["--a=1", "2"], ["--a=1", "2"]),
        (["1", "2"], ["1", "2"]),
        (["--a", "1", "2"], ["--a=1", "2"]),
        (["1", "--a", "x=y"], ["1", "--a=x=y"]),
        ([], []),
    ],
)
def test_a_word_behind_a_flag_without_a_value_is_its_value(
    words: list[str], joined: list[str]
) -> None:
    assert join_values(words) == joined


def test_flags_go_by_one_name_in_every_spelling() -> None:
    assert name_of("--job-server-timeout=9") == "--job_server_timeout"
    words = ["--experiment=a", "word", "--machine_type", "--region=r"]
    assert given_names(words) == {"--experiments", "--worker_machine_type", "--region"}
