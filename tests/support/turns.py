"""Who takes which tests, and when: what workers take at once, and what comes first."""

# One worker takes all tests of these folders, since what they share takes long to set up; elsewhere it takes a file.
_TAKEN_WHOLE = ("tests/flink", "tests/object_stores", "tests/remote", "tests/dataflow")
# What waits or takes longest comes first, so that no worker is left with it in the end.
_FIRST = (
    "tests/flink",
    "tests/object_stores",
    "tests/remote",
    "tests/faults",
    "tests/test_your_model.py",
    "tests/test_docs.py",
    "tests/bad_rows/test_native_engines.py",
    "tests/model_zoo/engines/test_compiled.py",
    "tests/gpu",
    "tests/test_train_page.py",
    "tests/test_lakes_page.py",
    "tests/test_versions_page.py",
    "tests/installation",
    "tests/pipelines/runners/test_portable_runners.py",
    "tests/dataflow",
    "tests/pipelines",
)
# What leaves every test after it slower: one of these lets the interpreter tell a function of each file that is opened.
_LAST = ("tests/pipelines/scoring/test_stale_runs.py",)


def rank(name: str) -> int:
    """Return how late a test's turn is; `name` is pytest's id of the test."""
    if name.startswith(_LAST):
        return len(_FIRST) + 1
    return next(
        (place for place, beginning in enumerate(_FIRST) if name.startswith(beginning)), len(_FIRST)
    )


def turn_of(name: str) -> str:
    """Return the file or folder whose tests one worker takes one after the other; `name` is pytest's id of one of them."""
    path = name.partition("::")[0]
    return next((folder for folder in _TAKEN_WHOLE if path.startswith(f"{folder}/")), path)
