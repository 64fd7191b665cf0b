"""Which faults strike which points: kills and errors at the steps that the scenarios come by, few or, with FULL_COUNTS, all of them.

FULL_COUNTS=1 python -m tests.faults.points        # how many, by scenario: what docs/reliability.md says
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
import tempfile

from tests.faults.counts import full_or
from tests.faults.scenarios import SCENARIOS, Stage, staged
from tests.faults.server import Server
from tests.faults.steps import all_steps
from tests.faults.world import SHARDS, make_world
from tests.support.fork_servers import ForkServers

KILLED_SHARDS = full_or(SHARDS, 40)
ON_DISK = [name for name in SCENARIOS if not SCENARIOS[name].store]


@dataclass(frozen=True)
class Fault:
    """What happens to a run, and to the one that mends it: see `Request`."""

    chain: str
    after: bool
    action: str
    hit: int = 1
    times: int = 1
    beam: bool = True


class Stages:
    """Scenarios, each set up and run undisturbed when it is asked for first.

    Args:
        folder: where all that they need is made.
        server: runs their programs.
    """

    def __init__(self, folder: Path, server: Server) -> None:
        self._folder = folder
        self._server = server
        self._stages: dict[tuple[str, int], Stage] = {}

    def get(self, name: str, shards: int = SHARDS) -> Stage:
        """Return a scenario among so many shards."""
        world = self._folder / f"world-{shards}"
        if not world.exists():
            world.mkdir()
            make_world(world, shards=shards)
        if (name, shards) not in self._stages:
            folder = self._folder / f"{name}-{shards}"
            self._stages[name, shards] = staged(name, world, folder, self._server)
        return self._stages[name, shards]

    def list_kills(self, name: str) -> list[Fault]:
        """Return the kills of a scenario: after each step, the first time; with FULL_COUNTS before it, too, and the last time."""
        stage = self.get(name, KILLED_SHARDS)
        chains = self._list_chains(name, KILLED_SHARDS)
        places = [(chain, hit) for chain in chains for hit in full_or([1], hits_of(stage, chain))]
        sides = full_or([True], [False, True])
        return [Fault(chain, after, "kill", hit) for chain, hit in places for after in sides]

    def list_errors(self, name: str) -> list[Fault]:
        """Return the errors of a scenario, and its writes that a full disk cuts short."""
        chains = self._list_chains(name, SHARDS)
        if not full_or(False, True):
            return _list_some_errors(chains)
        return _list_all_errors(self.get(name), chains)

    def _list_chains(self, name: str, shards: int) -> list[str]:
        """Return the chains at which there is a fault: those of no scenario before this one that uses the same kind of storage."""
        before = list(SCENARIOS)[: list(SCENARIOS).index(name)]
        alike = [other for other in before if SCENARIOS[other].store == SCENARIOS[name].store]
        known = {chain for other in alike for chain in self.get(other, shards).chains}
        return chosen([chain for chain in self.get(name, shards).chains if chain not in known])


def chosen(chains: list[str]) -> list[str]:
    """The chains that end in a call of the operating system's or of a store's; without FULL_COUNTS, enough to come by each and each caller."""
    steps = all_steps()
    ends = [chain for chain in chains if steps[chain.rpartition(" > ")[2]].primitive]
    seen: set[str] = set()
    few = []
    for chain in ends:
        named = {chain.partition(" > ")[0], chain.rpartition(" > ")[2]}
        if not named <= seen:
            few.append(chain)
        seen |= named
    return full_or(few, ends)


def hits_of(stage: Stage, chain: str) -> list[int]:
    """The first and the last time that the run comes by the chain; only the first where threads race for who is first to make a folder."""
    count = stage.chains[chain]
    is_of_all_shards = count >= stage.shards
    if is_of_all_shards or (count > 1 and "make_folder" not in chain):
        return [1, count]
    return [1]


def _list_some_errors(chains: list[str]) -> list[Fault]:
    """Errors for ever at some steps, and two writes that are cut short."""
    some = [
        chain
        for number, chain in enumerate(chains)
        if number % 6 == 0 or chain.endswith(":os.fsync")
    ]
    short = [chain for chain in chains if chain.endswith(":.write")][:2]
    return [
        *(Fault(chain, number % 4 == 3, "raise", times=0) for number, chain in enumerate(some)),
        *(Fault(chain, False, "short") for chain in short),
    ]


def _list_all_errors(stage: Stage, chains: list[str]) -> list[Fault]:
    """Errors once, twice and for ever at all steps, the first time, and once the last time."""
    kinds = [(chain, after, "raise") for chain in chains for after in (False, True)]
    kinds += [(chain, False, "short") for chain in chains if chain.endswith(":.write")]
    first = [Fault(*kind, times=times) for kind in kinds for times in (1, 2, 0)]
    return first + [Fault(*kind, hit) for kind in kinds for hit in hits_of(stage, kind[0])[1:]]


def main() -> None:
    """Print how many faults there are in each scenario, by kind, and in all."""
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        servers = ForkServers(folder)
        server = Server(folder, servers.find("tests.faults.server"))
        stages = Stages(folder, server)
        for scenario in SCENARIOS:
            counts = Counter(errors=len(stages.list_errors(scenario)))
            if scenario in ON_DISK:
                counts["kills"] = len(stages.list_kills(scenario))
            print(f"{scenario:16} {counts['kills']:5} kills {counts['errors']:5} errors")
            total += counts
        server.close()
        servers.close()
    print(f"{'all':16} {total['kills']:5} kills {total['errors']:5} errors")


if __name__ == "__main__":
    main()
