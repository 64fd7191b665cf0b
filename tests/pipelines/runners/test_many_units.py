"""As many units of work as a large night has arrive whole behind the shuffle of the local runner."""

from tests.pipelines.many_units import UNITS
from tests.support.programs import Programs


def test_units_by_the_ten_thousand_arrive_whole(programs: Programs) -> None:
    run = programs.run("tests.pipelines.many_units", timeout=500)
    assert run.returncode == 0, run.stderr[-2000:]
    assert f"arrived: {UNITS}" in run.stdout
