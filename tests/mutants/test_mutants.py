import ast
from collections import Counter
import cProfile
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.broken import PROMISES
from tests.mutants.equivalent import read_list, stale
from tests.mutants.given import give_code, place_of, places_in
from tests.mutants.mutations import (
    REPOSITORY,
    Mutation,
    all_mutations,
    mutated_code,
    mutated_tree,
    mutations_of,
    sample,
)
from tests.mutants.near import importing_test_files, near_test_files, own_test_files
from tests.mutants.promise import Promise
from tests.mutants.promises import broken_text, failed_tests
from tests.mutants.reach import Reach
from tests.mutants.trials import _within

SOURCE = '''
"""Text with a 1 in it."""
__all__ = ["f"]
LIMIT = 3


@dataclass(frozen=True)
class Row:
    count: Annotated[int, Field(ge=1)] = 0
    kind: Literal[1, 2]


def f(x: int, sure=True):
    """Return 1."""
    assert x > 1
    if not x or x < 2 <= 0.5:
        return x is None
    return x in zip((4, "5"), "a", strict=True)


if __name__ == "__main__":
    f(1)
'''
EXPECTED = [
    ("LIMIT = 3", "LIMIT = 2"),
    ("Field(ge=1)", "Field(ge=0)"),
    ("= 0", "= 1"),
    ("sure=True", "sure=False"),
    ("not x or x < 2 <= 0.5", "not x and x < 2 <= 0.5"),
    ("not x or x < 2 <= 0.5", "x or x < 2 <= 0.5"),
    ("not x or x < 2 <= 0.5", "not x or x <= 2 <= 0.5"),
    ("not x or x < 2 <= 0.5", "not x or x < 2 < 0.5"),
    ("not x or x < 2 <= 0.5", "not x or x < 3 <= 0.5"),
    ("not x or x < 2 <= 0.5", "not x or x < 2 <= 1.5"),
    ("return x is None", "return x is not None"),
    ("return x in zip((4, '5')", "return x not in zip((4, '5')"),
    ("return x in zip((4, '5')", "return x in zip((5, '5')"),
]


@pytest.fixture(scope="module")
def everywhere() -> list[Mutation]:
    """Return the mutations of all rooms, which take as long to find as all other tests of this file."""
    return all_mutations()


def test_what_matters_is_changed_and_nothing_else() -> None:
    found = [(m.before, m.after) for m in mutations_of("a.py", SOURCE)]

    assert len(found) == len(EXPECTED)
    for (before, after), (part_before, part_after) in zip(found, EXPECTED, strict=True):
        assert part_before in before
        assert part_after in after


def test_a_mutation_runs_when_its_function_is_called_or_its_module_imported() -> None:
    called = {m.before: m.in_function for m in mutations_of("a.py", SOURCE)}

    assert called["LIMIT = 3"] is False
    assert called["return x is None"] is True
    (default,) = (m for m in mutations_of("a.py", SOURCE) if "sure=True" in m.before)
    assert default.in_function is False


@pytest.mark.slow
def test_a_mutated_file_parses_and_differs_in_one_place(everywhere: list[Mutation]) -> None:
    for mutation in sample(everywhere, 6, seed=0):
        source = (REPOSITORY / mutation.file).read_text()
        before = Counter(ast.dump(n) for n in ast.walk(ast.parse(source)) if _is_leaf(n))
        mutated = ast.parse(ast.unparse(mutated_tree(source, mutation.number)))
        after = Counter(ast.dump(n) for n in ast.walk(mutated) if _is_leaf(n))

        assert ((before - after).total(), (after - before).total()) in [(1, 1), (1, 0)], (
            mutation
        )  # a `not` only goes


def test_the_same_seed_draws_the_same_mutations() -> None:
    mutations = all_mutations(("storage",))

    assert sample(mutations, 20, seed=1) == sample(mutations, 20, seed=1)
    assert sample(mutations, 20, seed=1) != sample(mutations, 20, seed=2)
    assert len({m.name for m in mutations}) == len(mutations)


def test_a_name_survives_a_shift_of_lines() -> None:
    names = [m.name for m in mutations_of("a.py", SOURCE)]

    assert [m.name for m in mutations_of("a.py", f"import os\n\n{SOURCE}")] == names


def test_nearest_tests_come_first_and_quick_ones_before_slow_ones() -> None:
    near, same_folder, other = (
        "tests/storage/test_disk.py::test_a",
        "tests/storage/test_files.py::test_b",
        "tests/pipelines/storage/test_disk.py::test_c",
    )
    slow = "tests/storage/test_disk.py::test_slow"
    seconds = {other: 0.1, same_folder: 0.2, slow: 3.0, near: 0.3}
    (mutation, *_) = mutations_of("storage/disk.py", "def f(x):\n    return x < 1\n")
    reach = Reach(seconds, {"storage/disk.py": {2: frozenset(seconds)}}, ())

    assert reach.tests_for(mutation) == [near, slow, same_folder, other]
    assert list(_within([near, slow, same_folder, other], seconds, 1.0)) == [
        near,
        same_folder,
        other,
    ]
    assert Reach(seconds, {}, ()).tests_for(mutation) == []


def test_a_file_is_mirrored_by_the_test_files_of_its_name_in_its_folder(tmp_path: Path) -> None:
    names = ("disk.py", "disk_room.py", "lock.py")
    tests = ("test_disk.py", "test_disk_full.py", "test_disk_room.py", "test_disks.py")
    for folder, files in (("storage", names), ("tests/storage", tests)):
        (tmp_path / folder).mkdir(parents=True)
        for name in files:
            (tmp_path / folder / name).touch()

    # What mirrors another file of that folder more closely is about that one.
    assert own_test_files("storage/disk.py", tmp_path) == (
        "tests/storage/test_disk.py",
        "tests/storage/test_disk_full.py",
    )
    assert own_test_files("storage/disk_room.py", tmp_path) == ("tests/storage/test_disk_room.py",)
    assert own_test_files("storage/lock.py", tmp_path) == ()
    assert own_test_files("pipelines/storage/disk.py", tmp_path) == ()


def test_functions_that_others_hold_get_the_code_of_a_mutation_and_no_others_do() -> None:
    source = "def f(x):\n    return x < 1\n\nclass A:\n    def g(self):\n        return lambda: 2\n"
    names: dict[str, Any] = {}
    exec(compile(source, "a.py", "exec"), names)  # noqa: S102 - as an import does
    held, method = names["f"], names["A"].g
    turned, *_, doubled = mutations_of("a.py", source)

    assert give_code([held, method], mutated_code("a.py", source, turned.number))

    assert held(1)
    assert method(None)() == 2
    # A function within another is made anew from the code of that one.
    assert give_code([held, method], mutated_code("a.py", source, doubled.number))
    assert not held(1)
    assert method(None)() == 3


def test_of_two_functions_in_one_place_none_gets_code() -> None:
    source = "FUNCTIONS = [lambda: 2, lambda: 4]\n"
    names: dict[str, Any] = {}
    exec(compile(source, "a.py", "exec"), names)  # noqa: S102 - as an import does

    assert not give_code(names["FUNCTIONS"], mutated_code("a.py", source, 0))
    assert [function() for function in names["FUNCTIONS"]] == [2, 4]


def test_tests_are_near_that_import_a_file_or_what_imports_it(tmp_path: Path) -> None:
    files = {
        "storage/disk.py": "",
        "storage/files.py": "from storage import disk\n",
        "transforms/read.py": "from storage.files import read\n",
        "tests/storage/test_disk.py": "from storage.disk import write\n",
        "tests/storage/test_modes.py": "import storage.disk\n",
        "tests/transforms/test_locks.py": "from storage import disk\n",
        "tests/storage/test_files.py": "from storage.files import read\n",
        "tests/transforms/test_read.py": "from transforms.read import read\n",
        "tests/storage/test_lock.py": "from storage.lock import hold\n",
        "tests/flink/test_disk.py": "import storage.disk\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    # Those of its room, where there are any, and then with a step more; not those of its own name.
    assert near_test_files("storage/disk.py", tmp_path) == (
        "tests/storage/test_modes.py",
        "tests/storage/test_files.py",
        "tests/transforms/test_read.py",
    )
    importing = importing_test_files("storage/disk.py", tmp_path)
    assert "tests/storage/test_modes.py" in importing
    assert "tests/storage/test_files.py" not in importing


@pytest.mark.slow
def test_who_imports_a_module_to_look_at_its_constants_tries_those() -> None:
    told = "tests/test_told_limits.py::test_a_limit_is_the_one_that_its_page_tells"
    constant, in_function = mutations_of(
        "storage/partition_names.py", "MOST = 5\n\n\ndef f(x):\n    return x < MOST\n"
    )
    reach = Reach({told: 0.1, "tests/storage/test_other.py::test": 0.1}, {}, ())
    assert reach.tests_for(constant) == [told]
    assert reach.tests_for(in_function) == []


def test_functions_that_were_called_are_told_by_a_profile() -> None:
    profile = cProfile.Profile(builtins=False)
    profile.enable()
    own_test_files("storage/lock.py")
    profile.disable()

    called = set(places_in(profile))

    assert place_of(own_test_files.__code__) in called
    assert place_of(near_test_files.__code__) not in called


def test_the_list_of_equivalent_mutations_is_true_and_says_why() -> None:
    listed = read_list()
    files = {Path(name.partition(" ~ ")[0]) for name in listed}
    # What a line names is nowhere else than in its file.
    found = [m for file in files for m in mutations_of(str(file), (REPOSITORY / file).read_text())]

    assert stale(listed, found) == []
    assert all(listed.values())


def test_a_line_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("a.py ~ f ~ 1 -> 2\n")

    with pytest.raises(ValueError, match="before -> after ~ why"):
        read_list(path)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.words)
def test_each_promise_can_be_broken_and_has_tests(promise: Promise) -> None:
    text = (REPOSITORY / promise.file).read_text()

    broken = broken_text(promise, text)

    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(text))
    assert all((REPOSITORY / path).exists() for path in promise.tests)


def test_what_is_not_there_once_is_an_error() -> None:
    promise = Promise("it adds up", "a.py", "a + b", "a - b", ("tests",))

    with pytest.raises(ValueError, match="it does 2 times"):
        broken_text(promise, "a + b, a + b")
    with pytest.raises(ValueError, match="it does 0 times"):
        broken_text(promise, "a - b")


def test_failed_tests_are_read_from_the_end_of_the_output() -> None:
    output = (
        "FAILED tests/test_a.py::test_b[x y] - assert 1\nERROR tests/test_c.py - OSError: a - b\n"
    )

    assert failed_tests(output) == ["tests/test_a.py::test_b[x y]", "tests/test_c.py"]


def _is_leaf(node: ast.AST) -> bool:
    """Whether a change of it is seen in itself alone, and not in all that is around it."""
    return isinstance(node, ast.Constant | ast.operator | ast.unaryop | ast.boolop | ast.cmpop)
