"""Measure how the product's code reads: `python -m tests.code_shape [FOLDER]`.

Prints, for each room and for all of them, files, lines, syntax nodes per line of code, and comments per 100 lines of code; then the longest
chain of imports, and how many imports lead from each room to each other one. A line of code is one on which a syntax node starts; docstrings
are none. Comments for tools (`noqa`, `type: ignore`) do not count.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
import io
from pathlib import Path
import re
import sys
import tokenize

from tests.support.repository import REPOSITORY

ROOMS = ("configs", "model_zoo", "pipelines", "storage", "transforms")
_FOR_TOOLS = ("# noqa", "# type:", "# fmt:")
# With the names in parentheses, on however many lines.
_IMPORT = re.compile(r"^\s*(?:from|import)\s[^\n(]*(?:\([^)]*\))?", re.MULTILINE)


@dataclass(frozen=True)
class Shape:
    """Counts of one file, or of several."""

    files: int = 0
    lines: int = 0
    code_lines: int = 0
    nodes: int = 0
    comments: int = 0

    def __add__(self, other: "Shape") -> "Shape":
        return Shape(
            self.files + other.files,
            self.lines + other.lines,
            self.code_lines + other.code_lines,
            self.nodes + other.nodes,
            self.comments + other.comments,
        )

    def describe(self) -> str:
        """Return the counts as one line."""
        code_lines = max(1, self.code_lines)
        return (
            f"{self.files:4} files {self.lines:6} lines {self.code_lines:6} of code "
            f"{self.nodes / code_lines:6.2f} nodes a line {100 * self.comments / code_lines:5.1f} comments per 100"
        )


@cache
def parse_file(path: Path) -> ast.Module:
    """Return the syntax tree of a file, parsed once for all who look at it; nobody changes it."""
    return ast.parse(path.read_text())


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """Return every node of a file, found once for all who look at it: `ast.walk` asks each node for its fields, and takes twice as long."""
    nodes: list[ast.AST] = [parse_file(path)]
    # What is found is walked through in turn.
    for node in nodes:
        for value in vars(node).values():
            if isinstance(value, list):
                nodes += [part for part in value if isinstance(part, ast.AST)]
            elif isinstance(value, ast.AST):
                nodes.append(value)
    return nodes


def may_import_tests(path: Path) -> bool:
    """Tell whether an import in a file may name what belongs to pytest; the others need not be parsed."""
    imports = _IMPORT.findall(path.read_text())
    return any("test_" in text or "conftest" in text for text in imports)


def measure_file(path: Path) -> Shape:
    """Count what one file holds."""
    text = path.read_text()
    nodes = nodes_of(path)
    docstrings = {line for node in nodes for line in _docstring_lines(node)}
    started = {node.lineno for node in nodes if hasattr(node, "lineno")}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    for_people = [comment for comment in comments if not comment.startswith(_FOR_TOOLS)]
    return Shape(1, text.count("\n"), len(started - docstrings), len(nodes), len(for_people))


def read_imports(root: Path) -> dict[str, set[str]]:
    """Return the modules of the rooms that each module of the rooms imports."""
    paths = [path for room in ROOMS for path in (root / room).rglob("*.py")]
    modules = {_module(root, path): path for path in paths}
    return {
        name: {target for target in _imported(path) if target in modules and target != name}
        for name, path in modules.items()
    }


def find_longest_chain(imports: Mapping[str, set[str]]) -> list[str]:
    """Return the longest path along imports; there are no cycles."""

    @cache
    def longest_from(module: str) -> tuple[str, ...]:
        chains = [longest_from(target) for target in imports[module]]
        return (module, *max(chains, key=len, default=()))

    return list(max(map(longest_from, imports), key=len))


def main(root: Path = REPOSITORY) -> None:
    """Print the measures of a checkout."""
    total = Shape()
    for room in ROOMS:
        shapes = [measure_file(path) for path in (root / room).rglob("*.py")]
        of_room = sum(shapes, Shape())
        total += of_room
        print(f"{room:10} {of_room.describe()}")
    print(f"{'all':10} {total.describe()}")
    imports = read_imports(root)
    chain = find_longest_chain(imports)
    print(f"longest chain of imports, {len(chain)}: {' -> '.join(chain)}")
    arrows = Counter(
        (name.partition(".")[0], target.partition(".")[0])
        for name, targets in imports.items()
        for target in targets
    )
    for (source, target), count in sorted(arrows.items()):
        if source != target:
            print(f"{source} -> {target}: {count} imports")


def _docstring_lines(node: ast.AST) -> Iterator[int]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
        first = node.body[0]
        yield from range(first.lineno, (first.end_lineno or first.lineno) + 1)


def _module(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _imported(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
