"""The runner as it comes is known without Beam, and says what Beam's options of it say."""

from pathlib import Path
import subprocess
import sys

import pytest

from configs.errors import JobError
from pipelines.runners.options import is_cluster, runner_options, starts_elsewhere
from pipelines.runners.runner import Runner
from tests.support.repository import REPOSITORY


@pytest.mark.parametrize(
    ("name", "flags", "is_as_it_comes"),
    [
        ("DirectRunner", (), True),
        ("DirectRunner", ("--direct_num_workers=1",), False),
        ("PrismRunner", (), False),
        ("FlinkRunner", ("--flink_master=far.example:8081", "--parallelism=2"), False),
        ("DataflowRunner", ("--template_location=gs://b/t",), False),
    ],
)
def test_what_is_told_without_beam_is_what_beams_options_say(
    name: str, flags: tuple[str, ...], is_as_it_comes: bool
) -> None:
    runner = Runner(name, flags)
    options = runner_options(name, flags)
    assert runner.is_as_it_comes is is_as_it_comes
    assert runner.is_cluster == is_cluster(options)
    assert runner.starts_elsewhere == starts_elsewhere(options)
    assert runner.options.get_all_options() == options.get_all_options()


def test_paths_are_refused_as_ever_where_a_flag_was_given(tmp_path: Path) -> None:
    Runner("DirectRunner", ()).refuse_unreachable(["memory://a"], shared_filesystem=False)
    runner = Runner("DirectRunner", ("--direct_running_mode=multi_processing",))
    with pytest.raises(JobError, match="lives in one process only"):
        runner.refuse_unreachable(["memory://a"], shared_filesystem=False)


def test_options_are_refused_as_ever_where_a_flag_was_given() -> None:
    Runner("DirectRunner", ()).refuse_wrong_options()
    with pytest.raises(JobError, match="--no_wait_until_finish"):
        Runner("DirectRunner", ("--no_wait_until_finish",)).refuse_wrong_options()


@pytest.mark.program
def test_the_runner_as_it_comes_is_asked_without_beam() -> None:
    program = (
        "import sys\n"
        "from pipelines.runners.runner import Runner\n"
        "runner = Runner('DirectRunner', ())\n"
        "runner.refuse_wrong_options()\n"
        "runner.refuse_unreachable(['memory://a'], False)\n"
        "assert not runner.is_cluster and not runner.starts_elsewhere\n"
        "sys.exit('apache_beam' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)
