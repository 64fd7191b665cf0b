"""The crash points: every call in the code that changes storage, found by reading the code, and a way to stand at each while it runs.

`steps_of` walks a file's syntax tree. `watch` makes the same walk when a room is imported, and puts `at_step` around each of those
calls, so that what is listed is what is watched. A call that is not known to only look is a step: a new one is seen without anybody
listing it here.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
import sys
import threading
from typing import Any

REPOSITORY = Path(__file__).parent.parent.parent
ROOMS = ("pipelines", "storage", "transforms")
_AT_STEP = "__at_step__"

# Calls that change no file: all others of these modules are steps.
_LOOKS = {
    "files": "absolute can_publish_to exists is_local join link_target list_inputs names_in open_read read sha256_of version_of",
    "disk": "leads_out",
    "os": "_exit close cpu_count dup dup2 fdopen fspath fstat getcwd getpid islink kill pread readlink stat walk",
    "shutil": "which disk_usage get_terminal_size",
    "fcntl": "flock",
    "lock": "",
}
# Methods that change a file, whatever they are called on, where the receiver is no module.
_METHODS = {
    "storage": "chmod cp_file discard flush hardlink_to makedirs mkdir pipe_file rename rm rmdir symlink_to touch truncate unlink write write_bytes write_text",
    "transforms": "hardlink_to mkdir rename rmdir symlink_to touch truncate unlink write_bytes write_text",
    "pipelines": "hardlink_to mkdir rename rmdir symlink_to touch truncate unlink write_bytes write_text",
}


@dataclass(frozen=True)
class Step:
    """A call that changes storage: `module.function:call`, and whether it is one of the operating system's or of a store's client."""

    name: str
    primitive: bool


def all_steps() -> dict[str, Step]:
    """Every step in the rooms, by name."""
    paths = [path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))]
    return {step.name: step for path in paths for step in steps_of(path.read_text(), _module(path))}


def steps_of(source: str, module: str) -> Iterator[Step]:
    """The steps in the source of a module."""
    marked = _Marker(module)
    marked.visit(ast.parse(source))
    yield from marked.steps


def watch(at_step: Callable[..., Any]) -> None:
    """From now on, modules of the rooms are imported with `at_step(name, function, *arguments)` in place of every step."""
    sys.meta_path.insert(0, _Finder(at_step))


class Chains:
    """Where each thread is: the steps that it is in, from the outermost to the innermost."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def enter(self, name: str) -> str:
        """The chain that now ends with this step."""
        chain = [*getattr(self._of_thread, "chain", ()), name]
        self._of_thread.chain = chain
        return " > ".join(chain)

    def leave(self) -> None:
        """Out of the innermost step."""
        self._of_thread.chain = self._of_thread.chain[:-1]


class _Marker(ast.NodeTransformer):
    """Collects the steps of a module, and marks them."""

    def __init__(self, module: str) -> None:
        self._scope = [module]
        self.steps: list[Step] = []

    def _inside(self, node: Any) -> Any:
        self._scope.append(node.name)
        self.generic_visit(node)
        self._scope.pop()
        return node

    visit_ClassDef = visit_FunctionDef = _inside  # noqa: N815 - names that ast asks for

    def visit_Call(self, node: ast.Call) -> ast.AST:
        call = _call(node)
        primitive = call is not None and call.partition(".")[0] not in ("files", "disk")
        self.generic_visit(node)
        if call is None or not _is_step(call, self._scope[0].partition(".")[0]):
            return node
        step = Step(f"{'.'.join(self._scope)}:{call}", primitive)
        self.steps.append(step)
        marked = ast.Call(ast.Name(_AT_STEP, ast.Load()), [ast.Constant(step.name), node.func, *node.args], node.keywords)
        return ast.fix_missing_locations(ast.copy_location(marked, node))


def _call(node: ast.Call) -> str | None:
    """`files.create`, `os.link`, `.write`: the module and its function, or the method."""
    if isinstance(node.func, ast.IfExp):  # one of two functions, chosen on the spot
        return _named(node.func.body)
    return _named(node.func)


def _named(function: ast.expr) -> str | None:
    if not isinstance(function, ast.Attribute):
        return None
    of_module = isinstance(function.value, ast.Name) and function.value.id in _LOOKS
    return f"{ast.unparse(function.value) if of_module else ''}.{function.attr}"


def _is_step(call: str, room: str) -> bool:
    module, _, name = call.partition(".")
    return name not in _LOOKS[module].split() if module else name in _METHODS[room].split()


class _Finder(MetaPathFinder):
    def __init__(self, at_step: Callable[..., Any]) -> None:
        self._at_step = at_step

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name.partition(".")[0] not in ROOMS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path, self._at_step)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, at_step: Callable[..., Any]) -> None:
        super().__init__(name, path)
        self._at_step = at_step

    def get_code(self, fullname: str) -> Any:
        tree = _Marker(fullname).visit(ast.parse(self.get_data(self.path)))
        return compile(tree, self.path, "exec", dont_inherit=True)

    def exec_module(self, module: Any) -> None:
        setattr(module, _AT_STEP, self._at_step)
        super().exec_module(module)


def _module(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
