"""Keep libraries from telling their makers, over the network, who uses them.

Scoring fetches nothing and sends nothing. Two engines' libraries would: ONNX Runtime from its
import on, OpenVINO and nncf from theirs.
"""

import os
import sys

# Looked at when ONNX Runtime is imported, and inherited by worker processes. Otherwise it also
# leaves a number of this machine's at home, and a file `.ses` in the temporary folder.
_SWITCH = "ORT_DISABLE_TELEMETRY"
# OpenVINO and nncf count with this module, unless a file at home says no. Without it they have
# nothing to count with, and say so to nobody.
_COUNTING_MODULE = "openvino_telemetry"


def forbid_telemetry() -> None:
    """Let no library in this process, or in one that it starts, report its use."""
    # Whatever the variable says: no job of ours is to send anything.
    os.environ[_SWITCH] = "1"
    # Of a module that is None, Python says that it is not installed.
    sys.modules.setdefault(_COUNTING_MODULE, None)  # type: ignore[arg-type]
