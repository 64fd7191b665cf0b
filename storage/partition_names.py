"""Names of folders that give a column's value, as Hive writes them: `dt=2026-01-01`, `at=12%3A30`."""

from urllib.parse import unquote_to_bytes

# What Hive calls the folder of rows that have no value there.
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
# What Hive escapes: what separates, what a file system or a shell takes for something else, and what a
# pattern does. Letters beyond ASCII stay, as Hive and Spark read each escape as a letter of its own.
_PRINTED = "\"#%'*/:=?\\{}[]^"
_DELETE = "\x7f"
# And the letters that control a terminal.
_CONTROL = [chr(number) for number in range(32)]
_ESCAPED = frozenset([*_PRINTED, _DELETE, *_CONTROL])
# The longest name that file systems take.
_MOST_BYTES = 255


def escape(text: str) -> str:
    """Return a text as it stands in a folder's name.

    >>> escape("12:30 größer"), escape("a/b")
    ('12%3A30 größer', 'a%2Fb')
    """
    written = map(_escape_letter, text)
    return "".join(written)


def make_name(column: str, text: str | None) -> str:
    """Return the name of the folder of rows that have a value in a column.

    Args:
        column: the column.
        text: the value; None where rows have none.

    >>> make_name("region", "s/e"), make_name("region", None)
    ('region=s%2Fe', 'region=__HIVE_DEFAULT_PARTITION__')
    """
    value = HIVE_NULL
    if text is not None:
        value = escape(text)
    name = escape(column)
    return f"{name}={value}"


def fits(column: str, text: str) -> bool:
    """Tell whether a value can stand in a folder's name, and is read from there again as itself.

    Args:
        column: the column.
        text: the value.

    >>> [fits("region", text) for text in ("north", "", HIVE_NULL, "x" * 250)]
    [True, False, False, False]
    """
    # Readers take these two for no value.
    if text in ("", HIVE_NULL):
        return False
    name = make_name(column, text)
    return len(name.encode()) <= _MOST_BYTES


def is_path_of_names(path: str) -> bool:
    """Tell whether a path from a file leads through such folders alone, so that it stays where it is.

    >>> [is_path_of_names(path) for path in ("dt=1/region=n", "", "..", "dt=1/..", "dt=1//x=2", "/a=1")]
    [True, False, False, False, False, False]
    """
    names = path.split("/")
    return all(map(_is_name, names))


def _escape_letter(letter: str) -> str:
    if letter not in _ESCAPED:
        return letter
    return f"%{ord(letter):02X}"


def _is_name(name: str) -> bool:
    column, separator, value = name.partition("=")
    if not column or not separator or not value:
        return False
    # Readers skip what begins so.
    if name.startswith((".", "_")):
        return False
    # As this program writes it, and in no other way.
    written = make_name(_unescape(column), _unescape(value))
    return name == written


def _unescape(text: str) -> str:
    content = unquote_to_bytes(text)
    return content.decode(errors="replace")
