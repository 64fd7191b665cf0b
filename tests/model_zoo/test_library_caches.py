"""Which folders are one's own; `tests/security/test_library_caches.py` is about what others put into those that are not."""

import os
from pathlib import Path
import stat
from types import SimpleNamespace

import pytest

from model_zoo import library_caches
from model_zoo.library_caches import is_private, keep_library_caches_private

US, ANOTHER = 1_000, 2_000
NAMES = tuple(library_caches._CACHES)


@pytest.mark.parametrize(
    ("mode", "owner", "group", "is_shared"),
    [
        (0o755, US, US, False),
        (0o711, US, ANOTHER, False),
        (0o775, US, US, False),
        (0o775, US, ANOTHER, True),
        (0o720, US, ANOTHER, True),
        (0o757, US, US, True),
        (0o702, US, US, True),
        (0o701, US, US, False),
        # A group of root's number is not one's own.
        (0o775, 0, 0, True),
        (0o755, 0, 0, False),
        # That the group and the owner are of one number is not enough, nor that the group is.
        (0o775, ANOTHER, ANOTHER, True),
        (0o775, ANOTHER, US, True),
    ],
)
def test_a_folder_is_shared_where_others_or_a_group_of_others_may_write(
    mode: int, owner: int, group: int, is_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: US)
    status = SimpleNamespace(st_mode=stat.S_IFDIR | mode, st_uid=owner, st_gid=group)
    assert library_caches._is_shared(status) == is_shared


@pytest.mark.parametrize("links", [0, 1, 2, 5])
def test_links_are_followed_as_often_as_is_said_and_no_further(links: int, tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    for number in range(links):
        (tmp_path / f"{number + 1}").symlink_to(tmp_path / f"{number}")
    assert is_private(tmp_path / f"{links}", links)
    if links:
        assert not is_private(tmp_path / f"{links}", links - 1)


def test_40_links_are_followed_as_by_linux(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    for number in range(41):
        (tmp_path / f"{number + 1}").symlink_to(tmp_path / f"{number}")
    assert is_private(tmp_path / "40")
    assert not is_private(tmp_path / "41")


def test_a_folder_of_root_is_as_good_as_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    assert is_private(Path("/usr/lib"))
    assert is_private(Path("/usr/lib/not/there"))


def test_a_folder_of_anybody_else_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    assert is_private(folder)
    look = Path.lstat

    def look_at(path: Path) -> object:
        found = look(path)
        if path != folder:
            return found
        return SimpleNamespace(st_uid=54_321, st_mode=found.st_mode, st_gid=found.st_gid)

    # Its bits say that nobody but its owner may write, who is another user here.
    monkeypatch.setattr(Path, "lstat", look_at)
    assert not is_private(folder)
    assert not is_private(folder / "below/it")
    assert is_private(tmp_path / "beside")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, and a temporary folder beside it; nothing is set."""
    for name in NAMES:
        # Set first, so that what a test leaves there is taken away again.
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path / "home"


def named(folder: Path, *names: str) -> dict[str, str]:
    return {name: str(folder / name.lower()) for name in names}


def settings() -> dict[str, str]:
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def test_what_is_at_home_stays_there_and_the_others_have_one_folder(
    home: Path, tmp_path: Path
) -> None:
    ours = tmp_path / f"tmp/library-caches-{os.getuid()}"
    keep_library_caches_private()
    assert settings() == named(ours, "TORCHINDUCTOR_CACHE_DIR")
    assert ours.stat().st_mode & 0o777 == 0o700


def test_at_a_home_that_is_everybodys_nothing_stays(home: Path, tmp_path: Path) -> None:
    home.chmod(0o777)
    keep_library_caches_private()
    # The others are below these two bases, where their libraries look for them.
    bases = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    moved = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH")
    assert settings() == named(tmp_path / f"tmp/library-caches-{os.getuid()}", *bases, *moved)


def test_what_is_below_a_base_that_the_user_has_set_is_looked_for_there(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared))
    keep_library_caches_private()
    ours = tmp_path / f"tmp/library-caches-{os.getuid()}"
    # All but what is set, what is at home, and what is below the other base.
    below = ("TORCH_HOME", "TORCH_EXTENSIONS_DIR", "HF_HOME", "NUMBA_CACHE_DIR")
    assert settings() == {
        "XDG_CACHE_HOME": str(shared),
        **named(ours, "TORCHINDUCTOR_CACHE_DIR", *below),
    }


def test_without_a_folder_of_ones_own_a_name_is_made_up_once(home: Path, tmp_path: Path) -> None:
    (tmp_path / f"tmp/library-caches-{os.getuid()}").write_bytes(b"")
    home.chmod(0o777)
    keep_library_caches_private()
    (folder,) = {Path(place).parent for place in settings().values()}
    assert folder.parent == tmp_path / "tmp"
    assert not folder.exists()
    # Nobody guesses so many digits.
    assert len(folder.name.rpartition("-")[2]) >= 32
