"""Prints the messages of compiled files as JSON: `python published.py FILE ...`, paths below the environment's installed packages.

Goes out: by the message's name without its package, by the field's name, its number and its type, `repeated` before it where that is so.
"""

import json
from pathlib import Path
import runpy
import sys
import sysconfig


def _messages(descriptors):
    for descriptor in descriptors:
        yield descriptor
        yield from _messages(descriptor.nested_types)


def _name(message):
    return message.full_name.removeprefix(f"{message.file.package}.")


def _type(field):
    if field.message_type is not None:
        kind = _name(field.message_type)
    else:
        kind = _SCALARS.get(field.type, "enum")
    return f"repeated {kind}" if field.is_repeated else kind


# As descriptor.proto numbers them.
_SCALARS = {
    1: "double",
    2: "float",
    3: "int64",
    4: "uint64",
    5: "int32",
    8: "bool",
    9: "string",
    12: "bytes",
    13: "uint32",
}


def main(paths):
    """Print what is published: each file is run alone, as the package around it takes seconds to import."""
    found = {}
    for path in paths:
        file = runpy.run_path(str(Path(sysconfig.get_path("purelib"), path)))["DESCRIPTOR"]
        for message in _messages(file.message_types_by_name.values()):
            found[_name(message)] = {
                field.name: [field.number, _type(field)] for field in message.fields
            }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
