"""Every hold on a part of Beam that Beam keeps to itself.

Each is a place where a new version of Beam may break this program without a word in its release
notes; what breaks then stands beside it. Beam itself is imported where it is needed: some of this
runs before Beam may be.
"""

import argparse
import sys
from typing import Any

_MODEL_MANAGER = "apache_beam.ml.inference.model_manager"


def leave_out_model_manager() -> None:
    """Let RunInference be imported without a module that takes a second and is not used here.

    It shares a machine among several models, and imports scipy's solvers for that.
    """
    # Python then says that there is no such module, and Beam goes on without. Should Beam need it
    # one day, `import apache_beam.ml.inference.base` fails, and with it every program, at once.
    sys.modules.setdefault(_MODEL_MANAGER, None)  # type: ignore[arg-type]


def let_in_model_manager() -> None:
    """Take that back, for whoever wants the module once RunInference is imported."""
    if sys.modules.get(_MODEL_MANAGER, sys) is None:
        del sys.modules[_MODEL_MANAGER]


def flush_by_size_alone() -> None:
    """Let Beam's local runner hand data on when there is enough of it, and not after a time.

    It flushes the data between stages by a timer, from another thread than the one that writes:
    some 10 000 units of work are then cut in the middle of one, and read as garbage. Flushed by
    size alone, as on every cluster, they arrive whole.
    """
    from apache_beam.runners.portability.fn_api_runner import worker_handlers

    # Should the name go, this sets nothing, and runs of some 10 000 units fail now and then with a
    # decoding error; tests/pipelines/runners/test_many_units.py makes such runs.
    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0


def add_flags(options: Any, parser: argparse.ArgumentParser) -> None:
    """Add the flags of one of Beam's option classes to a parser, if it has some of its own.

    Args:
        options: a subclass of PipelineOptions.
        parser: takes the flags.
    """
    # Should the method go, no flag of Beam's is known, and every one on a command line is refused.
    if "_add_argparse_args" in vars(options):
        options._add_argparse_args(parser)


def find_flink_name(result: Any) -> str:
    """Return the name that a job submitted to Beam's job server has on the Flink cluster."""
    # The job server's id is that name, and a random part. Should the attribute go, an interrupted
    # run ends with an AttributeError in its log, and the cluster goes on with the job.
    job_id: str = result._job_id
    return job_id.rpartition("_")[0]
