"""Every hold on a part of Beam that Beam keeps to itself.

Each is a place where a new version of Beam may break this program without a word in its release
notes; what breaks then stands beside it. Beam itself is imported where it is needed: some of this
runs before Beam may be.
"""

import argparse
import atexit
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import os
import shutil
import sys
import tempfile
from types import MethodType
from typing import Any, TypeAlias

from configs.errors import PublishError

_UNUSED = (
    # It shares a machine among several models, and imports scipy's solvers for that: a second.
    "apache_beam.ml.inference.model_manager",
    # Clients of services that no graph here reads or writes, and Google's libraries with them: a quarter
    # of what else there is to import. Beam imports them with `apache_beam.io`, where they can be.
    "apache_beam.io.gcp.bigquery",
    "bson",
)
_PREFIX = "batch-prediction-"
# Names of a function's parameters, and their defaults.
_Parameters: TypeAlias = tuple[list[str], list[Any]]


def leave_out_unused() -> None:
    """Let Beam be imported without modules that take time and are not used here."""
    # Python then says that there is no such module, and Beam goes on without. Should Beam need one
    # of them one day, `import apache_beam` fails, and with it every program, at once.
    for name in _UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def let_in_unused() -> None:
    """Take that back, for whoever wants one of them once Beam is imported."""
    for name in _UNUSED:
        if sys.modules.get(name, sys) is None:
            del sys.modules[name]


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


def gather_temporary_folders(keeps_requirements: bool) -> None:
    """Let Beam's temporary folders be in one that goes when this process ends.

    Beam makes three or four for each job, and leaves them.

    Args:
        keeps_requirements: whether Beam's folder of downloaded packages stays where it is, from job
            to job.

    Raises:
        PublishError: the folder of temporary files takes none.
    """
    from apache_beam.runners.portability import job_server, local_job_service, stager
    from apache_beam.transforms import environments

    modules: list[Any] = [environments, job_server, local_job_service]
    if not keeps_requirements:
        modules.append(stager)
    try:
        gathered = _Tempfile(_make_gathering_folder())
    except OSError as error:
        raise PublishError(
            f"{tempfile.gettempdir()}: temporary files cannot be made there: "
            f"{error.strerror or error}; mend the folder, or set TMPDIR to another"
        ) from error
    for module in modules:
        # Should Beam make its folders elsewhere, those stay behind again;
        # tests/pipelines/runners/test_temporary_folders.py looks.
        module.tempfile = gathered


@contextmanager
def graphs_made_quickly() -> Iterator[None]:
    """Let Beam look only once, in the block, at what it else looks at again and again.

    Whenever it asks for an option it parses all flags, some 300 times a run, and whenever it asks whether
    a step has state it looks up the parameters of all methods: half of what a graph takes.
    """
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.transforms import core

    options: Any = PipelineOptions
    view_as = options.view_as
    list_parameters = core.get_function_args_defaults
    # Should one of the names go, this ends with an AttributeError, and with it every run.
    options.view_as = _share_views(view_as)
    core.get_function_args_defaults = _remember_parameters(list_parameters)
    try:
        yield
    finally:
        options.view_as = view_as
        core.get_function_args_defaults = list_parameters


def _share_views(view_as: Callable[[Any, type], Any]) -> Callable[[Any, type], Any]:
    """Return `PipelineOptions.view_as` that gives a view of the same options to all who ask for one."""
    # A view holds the options' values themselves, so that none can be freed and its id be another's.
    views: dict[tuple[int, type], Any] = {}

    def share(options: Any, kind: type) -> Any:
        key = (id(options._all_options), kind)
        if key not in views:
            views[key] = view_as(options, kind)
        return views[key]

    return share


def _remember_parameters(
    list_parameters: Callable[[Any], _Parameters],
) -> Callable[[Any], _Parameters]:
    """Return a function that looks at each function or method only once."""
    known: dict[Any, _Parameters] = {}

    def remember(function: Any) -> _Parameters:
        # A method of any object has the same ones; what may be called otherwise need not be hashable.
        if not isinstance(function, MethodType):
            return list_parameters(function)
        key = function.__func__
        if key not in known:
            known[key] = list_parameters(function)
        names, defaults = known[key]
        # Whoever asks may change them.
        return list(names), list(defaults)

    return remember


class _Tempfile:
    """Python's module `tempfile`, for whom the folder of temporary files is another one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def mkdtemp(
        self,
        suffix: str | None = None,
        prefix: str | None = None,
        dir: str | None = None,
    ) -> str:
        """Make a folder."""
        return _make_folder(suffix, prefix, dir or self._folder)

    def gettempdir(self) -> str:
        """Return the folder of temporary files."""
        return self._folder

    def __getattr__(self, name: str) -> Any:
        return getattr(tempfile, name)


def _make_folder(
    suffix: str | None,
    prefix: str | None,
    above: str | None,
) -> str:
    return tempfile.mkdtemp(suffix, prefix, above)


def _make_gathering_folder() -> str:
    folder = _make_folder(None, _PREFIX, None)
    # Before any exit function of Beam's is registered, so that this one is called after those. A
    # process that is forked from this one calls it, too.
    atexit.register(_remove_own, folder, os.getpid())
    return folder


def _remove_own(folder: str, process: int) -> None:
    # Whatever cannot be removed stays: the run is over.
    with suppress(OSError):
        if os.getpid() == process:
            shutil.rmtree(folder, ignore_errors=True)


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
