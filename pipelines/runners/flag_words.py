"""The words of a command line for Beam's runners, as they are written: their names and values.

Apart from the flags that Beam knows, for which it is imported.
"""

from collections.abc import Sequence

# Values of these flags add up, so a profile's stand beside the user's.
LISTED_FLAGS = ("--experiments", "--job_server_jvm_properties", "--dataflow_service_options")
# Flink's job server takes options of its own, which Beam's Python side hands on without knowing
# them.
JOB_SERVER_FLAGS = (
    "--max_bundle_size",
    "--max_bundle_time_mills",
    "--object_reuse",
    "--operator_chaining",
    "--number_of_execution_retries",
    "--execution_retry_delay",
    "--execution_mode_for_batch",
    "--flink_conf_dir",
    "--disable_metrics",
)
# Beam takes both of each; a profile's flag must yield to either.
_OTHER_SPELLINGS = {
    "--experiment": "--experiments",
    "--job_server_jvm_property": "--job_server_jvm_properties",
    "--dataflow_service_option": "--dataflow_service_options",
    "--job-server-timeout": "--job_server_timeout",
    "--machine_type": "--worker_machine_type",
    "--save_main_session": "--no_save_main_session",
}


def name_of(flag: str) -> str:
    """Return the name of `--name=value` or `--name`, in its usual spelling.

    >>> name_of("--experiment=a")
    '--experiments'
    """
    name = flag.partition("=")[0]
    return _OTHER_SPELLINGS.get(name, name)


def value_of(flag: str) -> str:
    """Return the value of `--name=value`; nothing of `--name`.

    >>> value_of("--experiment=a=b")
    'a=b'
    """
    return flag.partition("=")[2]


def join_values(words: Sequence[str]) -> list[str]:
    """Return every flag as one word: `--name value` becomes `--name=value`.

    >>> join_values(["--flink_master", "localhost:8081", "--no_auth", "--region=r"])
    ['--flink_master=localhost:8081', '--no_auth', '--region=r']
    """
    flags: list[str] = []
    for word in words:
        is_value = bool(flags) and not word.startswith("--")
        # Whether the flag takes a value is Beam's to know; one that takes none is refused there.
        if is_value and _may_take_value(flags[-1]):
            flags[-1] += f"={word}"
        else:
            flags.append(word)
    return flags


def _may_take_value(flag: str) -> bool:
    return flag.startswith("--") and "=" not in flag


def given_names(flags: Sequence[str]) -> set[str]:
    """Return the names of the flags on a command line."""
    return {name_of(flag) for flag in flags if flag.startswith("--")}
