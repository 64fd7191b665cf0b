"""What another user puts where libraries look for their caches is neither loaded nor followed."""

from collections.abc import Callable
import getpass
import json
import os
from pathlib import Path
import subprocess
import sys

import pytest

from configs.errors import JobError
from model_zoo import library_caches
from model_zoo.library_caches import is_private, refuse_shared_caches
from tests.security.refusals import Shown, refused
from tests.support.repository import REPOSITORY

SOMEBODY = 12_345
NAMES = tuple(library_caches._CACHES)
# What a worker imports first, then the libraries themselves: where would each of them look?
ASK = """
import json, os, sys
import model_zoo
from torch._inductor.runtime.cache_dir_utils import cache_dir
import matplotlib, torch.hub, torch.utils.cpp_extension, triton, huggingface_hub.constants
print(json.dumps({
    "inductor": cache_dir(),
    "triton": triton.knobs.cache.dir,
    "matplotlib": matplotlib.get_configdir(),
    "fonts": matplotlib.get_cachedir(),
    "hub": torch.hub.get_dir(),
    "extensions": torch.utils.cpp_extension.get_default_build_root(),
    "hugging face": huggingface_hub.constants.HF_HOME,
    "xdg": os.environ.get("XDG_CACHE_HOME"),
    "line width": matplotlib.rcParams["lines.linewidth"],
}))
"""
# What the libraries are told of places, which is all that they are told.
TOLD = f"import json, os, model_zoo; print(json.dumps({{n: os.environ.get(n) for n in {NAMES}}}))"
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root makes files of other users")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as /tmp is, which is the temporary folder and, by mistake, everybody's home too."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    for name in NAMES:
        # Set first, so that what a test leaves there is taken away again.
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    return folder


def plant(folder: Path, name: str, text: str = "") -> None:
    """Put a file there as another user would, in folders of his own."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for place in (path, *path.parents):
        if place == folder:
            return
        os.chown(place, SOMEBODY, SOMEBODY)


def plant_everywhere(folder: Path) -> None:
    plant(folder, f"torchinductor_{getpass.getuser()}/evil.so")
    plant(folder, f"library-caches-{os.getuid()}/torchinductor_cache_dir/evil.so")
    for name in (
        ".triton/cache",
        ".cache/torch/hub",
        ".cache/huggingface",
        ".cache/torch_extensions",
    ):
        plant(folder, f"{name}/evil.so")
    for name in (".config/matplotlib", ".cache/matplotlib", ".matplotlib"):
        plant(folder, f"{name}/matplotlibrc", "lines.linewidth: 77\n")


def ask(code: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    answers: dict[str, object] = json.loads(done.stdout)
    return answers


@as_root
@pytest.mark.program
def test_nothing_that_another_user_planted_is_loaded_or_followed(shared: Path) -> None:
    plant_everywhere(shared)
    answers = ask(ASK)
    assert answers.pop("line width") == 1.5
    for library, answer in answers.items():
        place = Path(str(answer))
        owners = {at.stat().st_uid for at in (place, *place.parents) if at.exists()}
        assert SOMEBODY not in owners, library
        assert not list(place.rglob("evil.so")), library


@pytest.mark.program
def test_a_home_of_ones_own_is_left_as_it_is_and_inductor_alone_is_named_a_place(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    named = {name: place for name, place in ask(TOLD).items() if place is not None}
    kept = shared / f"library-caches-{os.getuid()}/torchinductor_cache_dir"
    assert named == {"TORCHINDUCTOR_CACHE_DIR": str(kept)}


OTHERS: dict[str, Callable[[Path], object]] = {
    "writable by all": lambda path: path.chmod(0o777),
    "sticky": lambda path: path.chmod(0o1777),
    "of another group": lambda path: (os.chown(path, 0, SOMEBODY), path.chmod(0o770)),
    "of another user": lambda path: os.chown(path, SOMEBODY, SOMEBODY),
    "in a folder of another user": lambda path: os.chown(path.parent, SOMEBODY, SOMEBODY),
    "in a folder of all": lambda path: path.parent.chmod(0o777),
    "not there yet": lambda path: (path.rmdir(), path.parent.chmod(0o1777)),
    "a link to there": lambda path: (path.rmdir(), path.symlink_to("/tmp")),  # noqa: S108 - as shared as can be,
    "a link of another user": lambda path: (
        path.rmdir(),
        path.symlink_to("/usr"),
        os.lchown(path, SOMEBODY, SOMEBODY),
    ),
    "a link to itself": lambda path: (path.rmdir(), path.symlink_to(path)),
}


@as_root
@pytest.mark.parametrize("kind", OTHERS)
def test_a_folder_that_others_may_write_to_is_not_private(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "cache"
    folder.mkdir(parents=True)
    assert is_private(folder)
    OTHERS[kind](folder)
    assert not is_private(folder)
    assert not is_private(folder / "below")


def test_an_own_folder_in_a_sticky_one_is_private_there_or_by_a_link(tmp_path: Path) -> None:
    own = tmp_path / "sticky" / "own"
    own.mkdir(parents=True)
    own.parent.chmod(0o1777)
    (own.parent / "link").symlink_to("own")
    assert is_private(own)
    assert is_private(own / "not" / "there")
    assert is_private(own.parent / "link" / "below")


@pytest.mark.parametrize("name", NAMES)
def test_a_users_own_setting_stands_where_it_is_private_and_is_refused_where_not(
    name: str, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = str(tmp_path / "own")
    monkeypatch.setenv(name, own)
    refuse_shared_caches()
    library_caches.keep_library_caches_private()
    assert os.environ[name] == own
    monkeypatch.setenv(name, str(shared / "anybody"))
    with pytest.raises(JobError, match=f"^{name}: others may put files"):
        refuse_shared_caches()


def test_a_program_refuses_it_with_one_line(
    score_with: Callable[..., Shown], tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(shared / "anybody"))
    line = refused(score_with(tmp_path / "model"), 2)
    assert "TRITON_CACHE_DIR: others may put files" in line


@as_root
def test_where_somebody_has_our_folders_name_another_is_made_up(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(shared, f"library-caches-{os.getuid()}/x")
    library_caches.keep_library_caches_private()
    named = os.environ["TORCHINDUCTOR_CACHE_DIR"]
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    library_caches.keep_library_caches_private()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] != named
    assert not Path(named).parent.exists()
