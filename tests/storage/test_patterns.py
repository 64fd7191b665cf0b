"""What a pattern stands for is what a shell makes of it, but for what the rules leave out."""

from collections.abc import Iterator
import glob
import itertools
import os
from pathlib import Path
import subprocess

import numpy as np
import pytest

from configs.errors import InputError
from storage.patterns import Pattern, split_pattern
from tests.support.listing import list_inputs

FOLDERS = ("s", "t", "dt=1", "_h", ".g", "u.p", "_k=2", "[s]")
NAMES = ("a.p", "b.p", "cc.q", "_x.p", ".h.p", "d.crc", "s", "_k=3.p", "a\nb.p")
PARTS = (
    "*",
    "**",
    "*.p",
    "?.p",
    "?",
    "[ab]*",
    "[!a]*",
    "[^a]*",
    "s",
    "dt=*",
    "_k=*",
    "[[]s]",
    "[",
    "u*",
)


def grow(folder: Path, seed: int) -> None:
    """Make some files, in folders that are up to three deep."""
    choose = np.random.default_rng(seed)
    for _ in range(25):
        place = folder.joinpath(*choose.choice(FOLDERS, size=choose.integers(4)))
        path = place / choose.choice(NAMES)
        # A file may have taken the name of a folder, and the other way round.
        if path.exists() or any(above.is_file() for above in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")


def is_left_out(path: Path, folder: Path) -> bool:
    *folders, name = path.relative_to(folder).parts
    hidden = [f for f in folders if f[0] == "." or (f[0] == "_" and "=" not in f)]
    return bool(hidden) or name[0] in "._" or name.endswith(".crc")


def expand(pattern: str) -> set[Path]:
    found = glob.glob(pattern.replace("[^", "[!"), recursive=True, include_hidden=True)
    # Python's own takes a file for a folder in front of a last `**`; a shell does not.
    odd = {path for path in found if path.endswith("/") and os.path.isfile(path[:-1])}
    return {Path(path) for path in set(found) - odd}


def walk_files(folder: Path) -> Iterator[Path]:
    for above, _, names in os.walk(folder):
        yield from (Path(above, name) for name in names)


def expected_files(folder: Path, pattern: str) -> tuple[set[Path], set[Path]]:
    """What is read with `recursive`, and those of it that are refused without."""
    matched = expand(pattern) - {folder}
    files = {path for path in matched if path.is_file()}
    below = {path for place in matched if place.is_dir() for path in walk_files(place)}
    taken = {path for path in files | below if not is_left_out(path, folder)}
    unasked = set()
    for path in taken - files:
        above = [place for place in path.parents if place.is_relative_to(folder)]
        top = max(above.index(place) for place in above if place in matched)
        if any("=" not in place.name for place in above[: top + 1]):
            unasked.add(path)
    return taken, unasked


# Three trees are enough for the quick tests.
@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 6))]
)
def test_a_pattern_finds_what_glob_finds(seed: int, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    grow(folder, seed)
    compared = 0
    choose = np.random.default_rng(seed)
    for length in (1, 2, 3):
        for parts in itertools.product(PARTS, repeat=length):
            # All patterns of three parts are some thousand.
            if length == 3 and choose.random() > 0.05:
                continue
            pattern = f"{folder}/{'/'.join(parts)}"
            # A name that is there is itself, whatever it looks like.
            if os.path.exists(pattern):
                continue
            taken, unasked = expected_files(folder, pattern)
            found, _ = list_inputs(pattern, recursive=True)
            assert {Path(file.url) for file in found} == taken, pattern
            if unasked:
                with pytest.raises(InputError, match=r"source\.recursive=true"):
                    list_inputs(pattern)
            else:
                assert list_inputs(pattern)[0] == found, pattern
            compared += bool(taken)
    assert compared > 50


@pytest.mark.program
def test_a_pattern_finds_what_a_shell_finds(tmp_path: Path) -> None:
    """The difference is said in docs/input.md: names that begin with `_`, and checksums, are left out."""
    folder = tmp_path / "in"
    folder.mkdir()
    grow(folder, seed=7)
    for pattern in ("*.p", "**/*.p", "s/*", "**/dt=*/*.p", "[!a]*.p", "[^a]*.p", "?.p", "*/*/?.p"):
        script = f"shopt -s globstar nullglob; printf '%s\\0' {folder}/{pattern}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        listed = {Path(path) for path in done.stdout.split("\0") if path}
        shown = {path for path in listed if path.is_file() and not is_left_out(path, folder)}
        found, _ = list_inputs(f"{folder}/{pattern}", recursive=True)
        matched = {Path(file.url) for file in found}
        # What is in a folder that matches is read, too, where a shell names the folder.
        inside = {path for path in matched if listed.intersection(path.parents)}
        assert matched - (inside - shown) == shown, pattern


def test_two_stars_among_letters_are_refused() -> None:
    with pytest.raises(InputError, match=r"a\*\*b.*must stand alone between slashes"):
        split_pattern("in/a**b/x")


@pytest.mark.parametrize(
    ("path", "folder", "leads"),
    [
        ("in", "in/scores", True),
        ("in", "in", True),
        ("in", "inside", False),
        ("in/*", "in/scores", True),
        ("in/*.p", "in/scores", False),
        ("in/*.p", "in/scores.p/below", True),
        ("in/*/*.p", "in/scores", True),
        ("in/*/*.p", "in/x/scores", False),
        ("in/**/*.p", "in/x/y/z", True),
        ("in/x/**", "in/y", False),
        ("in/*/x/y", "in", True),
        ("in/*/x", "in/a/b/c", False),
        ("/*", "/scores", True),
    ],
)
def test_a_pattern_may_lead_into_a_folder(path: str, folder: str, leads: bool) -> None:
    pattern = split_pattern(path)
    assert pattern.may_lead_into(folder) == leads
    assert Pattern(path).may_lead_into(path)


@pytest.mark.parametrize(
    ("path", "root", "parts"),
    [
        ("*/x", "", ("*", "x")),
        ("a/*", "a", ("*",)),
        ("/*", "", ("*",)),
        ("a/b", "a/b", ()),
        ("**", "", ("**", "*")),
    ],
)
def test_a_root_has_the_parts_before_the_first_wildcard(
    path: str, root: str, parts: tuple[str, ...]
) -> None:
    assert split_pattern(path) == Pattern(root, parts)
