"""Read settings as older versions wrote them into tuning reports.

Comes in: the plain values of a report's settings. Goes out: the same as this version names them, or
the one line that says what to use in place of what is gone.
"""

from typing import Any

from pydantic_core import PydanticCustomError

# The kind of error, by which `parse_tuning_report` tells it from a file that is no report.
GONE = "settings_that_are_gone"
# Linear layers of torch in 8 bits: on no network were they the fastest.
_GONE_DTYPE = "int8_linear"
# What that dtype kept, and all other settings held empty.
_GONE_FIELD = "linear_scales"


def read_former_settings(values: Any) -> Any:
    """Return settings without the field that this version does not know.

    Raises:
        PydanticCustomError: they are settings that are not computed any more.
    """
    if not isinstance(values, dict):
        return values
    if _is_gone(values):
        raise PydanticCustomError(
            GONE,
            "its fastest setting is int8_linear, which is not computed any more; run pipelines.tune "
            "again, which tries int8 of OpenVINO and ONNX Runtime, or set model.dtype to bfloat16",
        )
    if values.get(_GONE_FIELD) not in ([], ()):
        return values
    return {name: value for name, value in values.items() if name != _GONE_FIELD}


def leave_out_gone(choices: Any) -> Any:
    """Return the next best choices that can still be computed.

    A report is as good without the others: nothing is chosen by them, as they are no choice.
    """
    if not isinstance(choices, list | tuple):
        return choices
    return [choice for choice in choices if not _is_gone_choice(choice)]


def _is_gone_choice(choice: Any) -> bool:
    return isinstance(choice, dict) and _is_gone(choice.get("settings"))


def _is_gone(settings: Any) -> bool:
    return isinstance(settings, dict) and settings.get("dtype") == _GONE_DTYPE
