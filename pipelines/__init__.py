"""The programs, one file each, and what they share. No other package knows the class of a job: they get plain values."""

from pipelines.cli.import_path import leave_out_current_folder

# Before anything else is imported: a `logging.py` or `torch.py` in the current folder would run.
leave_out_current_folder()

# Names the private folders for libraries' caches, which runners' worker processes inherit.
import model_zoo  # noqa: E402, F401 - see above
from pipelines.cli.startup import prepare_imports  # noqa: E402 - see above

# Here, and not in each program's main: what a program imports at its top comes in before its first
# own line, and without this `python -m pipelines.score --help` takes twice as long.
prepare_imports()
