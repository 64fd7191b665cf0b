"""The server that computes a run's model, as it was when the run was planned."""

from dataclasses import dataclass, replace

from configs.errors import JobError
from model_zoo.remote.target import Target


@dataclass(frozen=True)
class Served:
    """A server, held to what it said.

    Attributes:
        target: the model, of the version that answered, with the requests of the whole run.
        server: name and version of the server's software, as far as it tells.
        most_rows: of one request; None where the server sets no limit.
    """

    target: Target
    server: str
    most_rows: int | None = None

    def describe(self) -> dict[str, str | None]:
        """Return which model of which server scores, for the run's id: another one is another run."""
        target = self.target
        return {
            "protocol": target.protocol,
            "url": target.url,
            "name": target.name,
            "version": target.version,
        }

    def share(self, workers: int) -> Target:
        """Return the target with one worker's part of the requests.

        Args:
            workers: of a machine.

        Raises:
            JobError: there are fewer requests than workers.
        """
        most = self.target.max_in_flight
        if workers > most:
            raise JobError(
                f"model.server.max_in_flight {most} is less than the {workers} workers of this "
                "machine, each of which needs one; raise it, or start fewer workers "
                f"(--direct_num_workers={most})"
            )
        return replace(self.target, max_in_flight=most // workers)
