"""The promises that `tests.mutants.promises` breaks: which line keeps each, and what breaks it."""

from tests.mutants.broken_inputs import INPUTS
from tests.mutants.broken_rows import ROWS
from tests.mutants.broken_runs import RUNS
from tests.mutants.broken_trust import TRUST

PROMISES = (*ROWS, *RUNS, *INPUTS, *TRUST)
