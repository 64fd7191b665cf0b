"""The file of a fitted model of scikit-learn -> the model, as far as the file can be trusted."""

from pathlib import Path
from typing import Any

from configs.errors import JobError, ModelError
from pipelines.packing.libraries import import_library
from storage import files

_PICKLES = (".joblib", ".pkl", ".pickle")
# Of these libraries' own types skops makes objects without running anything of the file.
_KNOWN_TYPES = ("sklearn.", "numpy.", "scipy.")
_SHOWN_CHARACTERS = 300


def load_model(url: str, is_trusted: bool) -> Any:
    """Return the model of a file.

    Args:
        url: of the file.
        is_trusted: whether the author has said that the file may run what it holds.

    Raises:
        JobError: there is no such file, or reading it would run code.
        ModelError: it cannot be read.
    """
    absolute = files.to_absolute(url)
    path = Path(absolute)
    if not path.is_file():
        raise JobError(f"sklearn {url}: there is no such file")
    if path.suffix in _PICKLES:
        if not is_trusted:
            raise JobError(
                f"sklearn {url}: is a pickle, which runs whatever its author put into it as soon as it "
                "is read; say trust_this_file if you wrote it yourself, or save it with skops.io.dump"
            )
        import joblib

        return joblib.load(path)
    io = import_library("skops.io", "sklearn")
    try:
        types = io.get_untrusted_types(file=path)
        foreign = [name for name in types if not name.startswith(_KNOWN_TYPES)]
        if foreign and not is_trusted:
            listed = ", ".join(foreign)
            raise JobError(
                f"sklearn {url}: holds objects of {listed}, whose code reading it would "
                "run; say trust_this_file if you know them"
            )
        return io.load(path, trusted=types)
    except JobError:
        raise
    except Exception as error:  # skops reads an archive with whatever is in it
        reason = shorten(error)
        raise ModelError(f"sklearn {url}: cannot be read: {reason}") from error


def shorten(error: Exception) -> str:
    """Return an error as one line."""
    words = str(error).split()
    line = " ".join(words)
    return line[:_SHOWN_CHARACTERS]
