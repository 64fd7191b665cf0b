"""What figures belong to: the processor, the libraries, and the engines that are not here."""

from importlib.metadata import PackageNotFoundError, version
import os
from pathlib import Path
import platform
import shutil
import subprocess
import sys

_LIBRARIES = (
    "apache-beam",
    "daft",
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "pyspark",
    "ray",
    "scikit-learn",
    "tokenizers",
    "torch",
    "torchvision",
    "transformers",
)
_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "bf16",
    "i8mm",
)
# What others than this program need.
INSTALL_OTHERS = "pip install '.[benchmarks]'"
_IMPORTS = {
    "ray": "import ray.data",
    "daft": "import daft",
    "spark": "import pyspark.sql.functions",
}


def machine() -> dict[str, object]:
    """Processor, what it can do, memory, and versions; None for what is not installed."""
    return {
        "cpu": _of_cpu("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "cpu_flags": [flag for flag in _FLAGS if flag in cpu_flags()],
        "memory_gib": round(_memory_bytes() / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def cpu_flags() -> set[str]:
    """What the processor says that it can do."""
    return set((_of_cpu("flags") or _of_cpu("Features") or "").split())


def absent_because(engine: str) -> str | None:
    """Why an engine cannot run here, or None if it can."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS[engine]], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["it cannot be imported"])[-1]
        return f"{why}; {INSTALL_OTHERS}"
    if engine == "spark" and shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "it needs Java"
    return None


def _memory_bytes() -> int:
    # Not by psutil, which not every environment that runs a comparison has.
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_cpu(key: str) -> str | None:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key),
        None,
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
