"""What settings promise before they are measured: which to try first, and which cannot win any more.

Both are told from how fast the engine's own float32 is here, which is measured of every engine.
"""

from collections.abc import Mapping

from model_zoo.engines.settings import DType, Settings

# What dtypes gained over float32 of the same engine, about, on processors that have instructions
# for them; without those they gain less, and cost only that they are tried early.
_USUAL_GAINS: Mapping[DType, float] = {
    "float32": 1.1,
    "bfloat16": 2.0,
    "float16": 2.0,
    "int8": 3.0,
}
# More than they have ever been seen to gain, on any network: what is further behind cannot win.
_LARGEST_GAINS: Mapping[DType, float] = {
    "float32": 2.0,
    "bfloat16": 6.0,
    "float16": 6.0,
    "int8": 8.0,
}
_LARGEST_GAIN_OF_COMPILING = 4.0


def expect_rate(settings: Settings, float32_rate: float) -> float:
    """Return rows per second that settings come to, about.

    Args:
        settings: which are not measured yet.
        float32_rate: rows per second of their engine in float32.
    """
    return float32_rate * _USUAL_GAINS[settings.dtype]


def can_win(
    settings: Settings,
    engine_rate: float,
    fastest_rate: float,
) -> bool:
    """Tell whether settings may still be the fastest.

    Args:
        settings: which are not measured yet.
        engine_rate: rows per second of their engine: in float32, or, of compiled ones, as they are
            without that.
        fastest_rate: of all that may be kept so far.
    """
    if settings.compiled:
        return engine_rate * _LARGEST_GAIN_OF_COMPILING > fastest_rate
    return engine_rate * _LARGEST_GAINS[settings.dtype] > fastest_rate
