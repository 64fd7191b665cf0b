"""A `python` for scripts that start our programs: what it is asked to run is forked from the server of `tests.support.programs`.

It stands where a script looks for the interpreter, takes `-m MODULE ARGUMENT...`, and is to the script as the program itself: its
environment and folder, its stdout and stderr, its exit status.
"""

from pathlib import Path
import sys

_CLIENT = """#!{python} -IS
import json, os, socket, sys

assert sys.argv[1] == "-m", sys.argv
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = {{
    "module": sys.argv[2],
    "arguments": sys.argv[3:],
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "stdout": f"/proc/{{os.getpid()}}/fd/1",
    "stderr": f"/proc/{{os.getpid()}}/fd/2",
}}
server.sendall(json.dumps(request).encode() + b"\\n")
pid, status = server.makefile().read().split()
sys.exit(int(status))
"""


def write_forking_python(path: Path, address: str) -> None:
    """Write the program.

    Args:
        path: where the script looks for the interpreter.
        address: socket of the server.
    """
    path.write_text(_CLIENT.format(python=sys.executable, address=address))
    path.chmod(0o755)
