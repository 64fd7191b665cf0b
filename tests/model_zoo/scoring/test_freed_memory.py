"""Arrays that grow are made of memory that was freed, and not of the system's, which comes page by page."""

import os
import subprocess
import sys

import pytest

PAGES = """
import resource, sys
import numpy as np
from model_zoo.scoring.freed_memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
# Below 4 MiB, from where numpy asks the system for large pages.
for kilobytes in range(128, 4_000, 128):
    np.ones(kilobytes << 10, np.int8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
SETTING = "MALLOC_MMAP_THRESHOLD_"

pytestmark = pytest.mark.program


def count_pages(word: str, **environment: str) -> int:
    inherited = {name: value for name, value in os.environ.items() if name != SETTING}
    done = subprocess.run(
        [sys.executable, "-c", PAGES, word],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is Linux's")
def test_growing_arrays_take_few_pages_from_the_system() -> None:
    kept = count_pages("keep")
    assert count_pages("leave") > 2 * kept
    # The environment has decided: from 64 KiB on all go back.
    assert count_pages("keep", **{SETTING: "65536"}) > 2 * kept
