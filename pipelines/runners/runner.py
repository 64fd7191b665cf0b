"""The runner that a command line names, of which enough is known without Beam to plan most runs.

Beam takes a second to import, and a run that is published already needs none of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.cli.startup import quick_imports
from pipelines.runners.profiles import Flags

# For its types alone.
if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions


@dataclass(frozen=True)
class Runner:
    """A runner and the user's flags for it.

    Attributes:
        name: in Beam's spelling.
        flags: of the user's, each one word.
    """

    name: str
    flags: Flags

    @property
    def is_as_it_comes(self) -> bool:
        """Tell whether this is the runner in this process, of which nobody asked for anything.

        Such a runner can do all that a job may want, so nothing of it is refused.
        """
        return self.name == "DirectRunner" and not self.flags

    @cached_property
    def options(self) -> "PipelineOptions":
        """Return Beam's options; the first call imports Beam."""
        with quick_imports():
            from pipelines.runners.options import runner_options

        return runner_options(self.name, self.flags)

    @property
    def is_cluster(self) -> bool:
        """Tell whether workers may run on other machines than the launcher's."""
        if self.is_as_it_comes:
            return False
        options = self.options
        from pipelines.runners.options import is_cluster

        return is_cluster(options)

    @property
    def starts_elsewhere(self) -> bool:
        """Tell whether running only describes the job, as `starts_elsewhere` of the options."""
        if self.is_as_it_comes:
            return False
        options = self.options
        from pipelines.runners.options import starts_elsewhere

        return starts_elsewhere(options)

    def refuse_unreachable(self, urls: Sequence[str], shared_filesystem: bool) -> None:
        """Refuse paths that the workers cannot see, as `refuse_unreachable` of the checks.

        Args:
            urls: input, model package and output.
            shared_filesystem: the word of the user that every machine mounts the local paths.

        Raises:
            JobError: the first such path.
        """
        if self.is_as_it_comes:
            return
        options = self.options
        from pipelines.runners.checks import refuse_unreachable

        refuse_unreachable(options, urls, shared_filesystem)

    def refuse_wrong_options(self) -> None:
        """Refuse what would fail, or hang, only after the submission, as the checks do.

        Raises:
            JobError: the first problem.
        """
        if self.is_as_it_comes:
            return
        options = self.options
        from pipelines.runners.checks import refuse_wrong_options

        refuse_wrong_options(options)
