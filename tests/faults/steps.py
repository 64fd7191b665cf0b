"""The crash points: every call in the code that changes storage, found by reading the code, and a way to stand at each while it runs.

`steps_of` walks a file's syntax tree. `watch` makes the same walk when a room is imported, and puts `at_step` around each of those
calls, so that what is listed is what is watched. A call of a module that is not known to only look is a step: a new one is seen without
anybody listing it here. What no syntax tells (an alias, a function passed on, a library that writes to a path) is refused by
`tests/test_architecture.py`, and `test_nothing_changes_the_output_but_a_step` asks the interpreter what was really opened and renamed.
"""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
import re
import sys
import threading
from typing import Any

from tests.support.repository import REPOSITORY

ROOMS = ("model_zoo", "pipelines", "storage", "transforms")
_AT_STEP = "__at_step__"

# Calls that change no file: all others of these modules are steps.
LOOKS = {
    "files": "can_publish_to compute_sha256 exists is_local join list_names open_read read read_end read_link read_ranges to_absolute",
    "disk": "leads_out read_end read_range",
    "os": "_exit close cpu_count dup dup2 fdopen fsdecode fsencode fspath fstat getcwd getpid getppid getuid islink kill listdir pread readlink scandir sched_getaffinity set_inheritable stat strerror walk",
    "shutil": "which disk_usage get_terminal_size",
    "tempfile": "gettempdir",
    "fcntl": "flock",
}
# Methods that change a file, whatever they are called on, where the receiver is no module; and those that do so in storage, where
# nothing else has such names. Besides, `open` for writing, and a `replace` by one argument, which no text has.
_CHANGES = [
    "chmod",
    "cp_file",
    "hardlink_to",
    "lchmod",
    "makedirs",
    "mkdir",
    "mv",
    "pipe",
    "pipe_file",
    "put_file",
    "rename",
    "rm",
    "rm_file",
    "rmdir",
    "symlink_to",
    "touch",
    "truncate",
    "unlink",
    "write_bytes",
    "write_text",
]
_CHANGES_OF_STORAGE = ["close", "copy", "discard", "flush", "put", "rmtree", "write", "writelines"]
# It lets go of a file that was read, or that nobody will name.
_LETS_GO = {"storage.object_stores.Reader.__exit__:.close", "storage.object_stores.discard:.close"}
_MODE = re.compile("[rwaxbt+]+")
# A file without any of these words at such a place has no steps, and is not read word by word.
_METHODS = "|".join(["replace", *_CHANGES, *_CHANGES_OF_STORAGE])
_MAY_HOLD_STEPS = re.compile(rf"\b(?:{'|'.join(LOOKS)})\.|\bopen\b|\.(?:{_METHODS})\b")


@dataclass(frozen=True)
class Step:
    """A call that changes storage: `module.function:call`, and whether it is one of the operating system's or of a store's client."""

    name: str
    primitive: bool


@cache
def all_steps() -> dict[str, Step]:
    """Every step in the rooms, by name; read once for all who look at them, which takes a second of a core."""
    paths = [path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))]
    return {step.name: step for path in paths for step in steps_of(path.read_text(), _module(path))}


def steps_of(source: str, module: str) -> Iterator[Step]:
    """The steps in the source of a module."""
    if not _MAY_HOLD_STEPS.search(source):
        return
    tree = ast.parse(source)
    marked = _Marker(module, tree)
    marked.visit(tree)
    yield from marked.steps


def watch(at_step: Callable[..., Any]) -> None:
    """From now on, modules of the rooms are imported with `at_step(name, function, *arguments)` in place of every step."""
    sys.meta_path.insert(0, _Finder(at_step))


class Chains:
    """Where each thread is: the steps that it is in, from the outermost to the innermost."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    @contextmanager
    def entered(self, name: str) -> Iterator[str]:
        """The chain that ends with this step, while the block runs."""
        outside: tuple[str, ...] = getattr(self._of_thread, "chain", ())
        self._of_thread.chain = (*outside, name)
        try:
            yield " > ".join(self._of_thread.chain)
        finally:
            self._of_thread.chain = outside

    def is_inside(self) -> bool:
        """Whether this thread is at a step."""
        return bool(getattr(self._of_thread, "chain", ()))


class _Marker(ast.NodeTransformer):
    """Collects the steps of a module, and marks them."""

    def __init__(self, module: str, tree: ast.AST) -> None:
        self._scope = [module]
        imports = (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
        self._modules = {
            alias.name for node in imports for alias in node.names if alias.name in LOOKS
        }
        self._constants = {
            ast.unparse(node.targets[0]): ast.unparse(node.value)
            for node in getattr(tree, "body", ())
            if isinstance(node, ast.Assign)
        }
        self.steps: list[Step] = []

    def _inside(self, node: Any) -> Any:
        self._scope.append(node.name)
        self.generic_visit(node)
        self._scope.pop()
        return node

    visit_ClassDef = visit_FunctionDef = _inside  # noqa: N815 - names that ast asks for

    def visit_Call(self, node: ast.Call) -> ast.AST:
        call = _call(node, self._modules)
        self.generic_visit(node)
        room = self._scope[0].partition(".")[0]
        if call is None or not _is_step(node, call, room, self._constants):
            return node
        step = Step(
            f"{'.'.join(self._scope)}:{call}", call.partition(".")[0] not in ("files", "disk")
        )
        if step.name in _LETS_GO:
            return node
        self.steps.append(step)
        marked = ast.Call(
            ast.Name(_AT_STEP, ast.Load()),
            [ast.Constant(step.name), node.func, *node.args],
            node.keywords,
        )
        return ast.fix_missing_locations(ast.copy_location(marked, node))


def _call(node: ast.Call, modules: set[str]) -> str | None:
    """`files.create`, `os.link`, `.write`, `open`: the module and its function, or the method, or what is built in."""
    function = (
        node.func.body if isinstance(node.func, ast.IfExp) else node.func
    )  # of two functions, chosen on the spot, the first
    if isinstance(function, ast.Name):
        return "open" if function.id == "open" else None
    if not isinstance(function, ast.Attribute):
        return None
    of_module = isinstance(function.value, ast.Name) and function.value.id in modules
    return f"{ast.unparse(function.value) if of_module else ''}.{function.attr}"


def _is_step(node: ast.Call, call: str, room: str, constants: dict[str, str]) -> bool:
    module, _, name = call.partition(".")
    if call in ("open", ".open"):
        return _opens_for_writing(node)
    if call == ".replace":
        return len(node.args) == 1 and not node.keywords
    if call == "os.open" and room != "storage":
        given = [ast.unparse(argument) for argument in node.args]
        return not any("O_RDONLY" in constants.get(text, text) for text in given)
    if module:
        return name not in LOOKS[module].split()
    return name in _CHANGES or (room == "storage" and name in _CHANGES_OF_STORAGE)


def _opens_for_writing(node: ast.Call) -> bool:
    """Whether the mode says so: the second argument of `open` and of a file system's method, the first of a path's; or nobody can tell."""
    built_in = isinstance(node.func, ast.Name)
    given = [*node.args[built_in:2], *(k.value for k in node.keywords if k.arg == "mode")]
    modes = [
        a.value
        for a in given
        if isinstance(a, ast.Constant) and isinstance(a.value, str) and _MODE.fullmatch(a.value)
    ]
    if modes:
        return not set("wax+").isdisjoint(modes[-1]) and ast.unparse(node.args[0]) != "os.devnull"
    return built_in and bool(given)


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
        source = self.get_data(self.path)
        if not _MAY_HOLD_STEPS.search(source.decode()):
            return super().get_code(fullname)
        tree = ast.parse(source)
        return compile(_Marker(fullname, tree).visit(tree), self.path, "exec", dont_inherit=True)

    def exec_module(self, module: Any) -> None:
        setattr(module, _AT_STEP, self._at_step)
        super().exec_module(module)


def _module(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
