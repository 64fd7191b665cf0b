"""The server that computes a run's model, as it was when the run was planned."""

from dataclasses import dataclass, replace

from configs.errors import JobError
from model_zoo.remote.target import Target
from pipelines.planning.workers import Workers

# Requests at once, of a run whose job says nothing of them.
_USUAL = 16
# While one waits for the server another reads and writes: with one per core the server waits, too.
_WORKERS_OF_A_CORE = 2


@dataclass(frozen=True)
class Served:
    """A server, held to what it said.

    Attributes:
        target: the model, of the version that answered.
        server: name and version of the server's software, as far as it tells.
        most_rows: of one request; None where the server sets no limit.
        max_in_flight: requests of the whole run; None for as many as it is usual.
    """

    target: Target
    server: str
    most_rows: int | None = None
    max_in_flight: int | None = None

    def describe(self) -> dict[str, str | None]:
        """Return which model of which server scores, for the run's id: another one is another run."""
        target = self.target
        return {
            "protocol": target.protocol,
            "url": target.url,
            "name": target.name,
            "version": target.version,
        }

    def count_workers(self, cores: int) -> int:
        """Return how many workers a machine of its own is to have, each with a request at least.

        Args:
            cores: of the machine.
        """
        workers = cores * _WORKERS_OF_A_CORE
        return min(workers, self.max_in_flight or workers)

    def share(self, workers: Workers) -> Target:
        """Return the target with one process's part of the requests, which its workers send together.

        Args:
            workers: of a machine.

        Raises:
            JobError: there are fewer requests than processes.
        """
        # A machine with many cores has many workers, and none of them can do without.
        most = self.max_in_flight or max(_USUAL, workers.count)
        if workers.processes > most:
            raise JobError(
                f"model.server.max_in_flight {most} is less than the {workers.processes} workers of this "
                "machine, each of which is a process and needs one; raise it, or start fewer workers "
                f"(--direct_num_workers={most})"
            )
        return replace(self.target, max_in_flight=most // workers.processes)
