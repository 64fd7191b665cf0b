"""Small changes of our code that a test should notice, one at a time, found in the syntax tree.

    a comparison turned      <  to <=,  == to !=,  in to not in,  is to is not
    and, or                  one for the other
    not                      dropped
    a number                 one off: an even one up, an odd one down
    True, False              one for the other

Left out is what no test can notice: text, `Literal` types, assertions, `zip(strict=True)`, which
asserts too, `__all__`, the parameters of `@dataclass`, and the block that runs a file as a program.
Of an annotation only the bounds in it change, as in `Field(ge=1)`.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
import random
from types import CodeType
from typing import Any

REPOSITORY = Path(__file__).parent.parent.parent
ROOMS = ("configs", "storage", "transforms", "model_zoo", "pipelines")
_MOST_SHOWN = 100
_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_NOT_LOOKED_INTO = {"returns", "type_params", "ctx", "type_comment"}
_NAMED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, order=True)
class Mutation:
    """One change of one file.

    Attributes:
        file: below the repository.
        number: among all mutations of the file, in the order of its text.
        line: where the changed expression is; `first_line` and `last_line`: of the statement around
            it.
        in_function: whether it runs when a function is called, and not when the module is imported.
        place: qualified name of the function or class around it; empty for the module itself.
        before, after: text of the expression around the change.
        repeat: of several with the same place and text in one file, which one; 1 for the first.
    """

    file: str
    number: int
    line: int
    first_line: int
    last_line: int
    in_function: bool
    place: str
    before: str
    after: str
    repeat: int = 1

    @property
    def name(self) -> str:
        """What it is called in `equivalent.txt`: the same though lines shift."""
        again = f" #{self.repeat}" if self.repeat > 1 else ""
        return f"{self.file} ~ {self.place or 'module'} ~ {self.before} -> {self.after}{again}"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}  {self.before} -> {self.after}"


def mutations_of(file: str, source: str) -> list[Mutation]:
    """Return every mutation of a file, in the order of its text."""
    found = [
        _described(file, number, site) for number, site in enumerate(_sites(ast.parse(source)))
    ]
    seen: Counter[str] = Counter()
    result = []
    for mutation in found:
        seen[mutation.name] += 1
        result.append(Mutation(**{**vars(mutation), "repeat": seen[mutation.name]}))
    return result


def all_mutations(rooms: Sequence[str] = ROOMS, root: Path = REPOSITORY) -> list[Mutation]:
    """Return every mutation of every file of some rooms, in the order of files and text."""
    paths = [path for room in rooms for path in sorted((root / room).rglob("*.py"))]
    return [m for p in paths for m in mutations_of(p.relative_to(root).as_posix(), p.read_text())]


def sample(mutations: Sequence[Mutation], count: int, seed: int) -> list[Mutation]:
    """Draw that many, the same for the same seed and code; all where there are fewer."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    return sorted(drawn.sample(list(mutations), min(count, len(mutations))))


def mutated_tree(source: str, number: int) -> ast.Module:
    """Return the syntax tree of a file with one of its mutations."""
    tree = ast.parse(source)
    sites = list(_sites(tree))
    _change(sites[number])
    return ast.fix_missing_locations(tree)


def mutated_code(path: str, source: str, number: int) -> CodeType:
    """Return the code of a file with one of its mutations, as an importer wants it."""
    return compile(mutated_tree(source, number), path, "exec", dont_inherit=True)


@dataclass
class _Site:
    """A node that can be changed: comparison `part` of several; `chain` leads there."""

    node: ast.AST
    part: int
    chain: tuple[ast.AST, ...]
    in_function: bool


def _sites(tree: ast.Module) -> Iterator[_Site]:
    yield from _below(tree, (), in_function=False)


def _below(node: ast.AST, above: tuple[ast.AST, ...], in_function: bool) -> Iterator[_Site]:
    if _is_left_out(node) or _is_strict_zip(node, above):
        return
    chain = (*above, node)
    for part in range(_parts(node)):
        yield _Site(node, part, chain, in_function)
    for name, value in ast.iter_fields(node):
        if name in _NOT_LOOKED_INTO:
            continue
        # Defaults and decorators run when the function is made.
        inside = in_function or (isinstance(node, _FUNCTIONS) and name == "body")
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _below(child, chain, inside)


def _parts(node: ast.AST) -> int:
    """In how many ways a node can be changed."""
    if isinstance(node, ast.Compare):
        return len(node.ops)
    if isinstance(node, ast.BoolOp):
        return 1
    if isinstance(node, ast.UnaryOp):
        return int(isinstance(node.op, ast.Not))
    return int(isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float))


def _is_left_out(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in ("__name__ == '__main__'", "TYPE_CHECKING")
    if isinstance(node, ast.Assign):
        return any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
    if isinstance(node, ast.Subscript):
        return ast.unparse(node.value).endswith("Literal")
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "dataclass"


def _is_strict_zip(node: ast.AST, above: tuple[ast.AST, ...]) -> bool:
    """Whether it is the `strict` of a `zip`, which asserts what is so anyway."""
    is_strict = isinstance(node, ast.keyword) and node.arg == "strict"
    return is_strict and isinstance(above[-1], ast.Call) and ast.unparse(above[-1].func) == "zip"


def _change(site: _Site) -> Callable[[], None]:
    """Change a node, and return what takes the change back."""
    node = site.node
    if isinstance(node, ast.Compare):
        return _set(node.ops, site.part, _TURNED[type(node.ops[site.part])]())
    if isinstance(node, ast.BoolOp):
        return _set(vars(node), "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if isinstance(node, ast.Constant):
        return _set(vars(node), "value", _other_value(node.value))
    assert isinstance(node, ast.UnaryOp)
    return _put_in_place(site.chain[-2], node, node.operand)


def _other_value(value: Any) -> bool | int | float:
    if isinstance(value, bool):
        return not value
    return value - 1 if value % 2 == 1 else value + 1


def _put_in_place(parent: ast.AST, old: ast.AST, new: ast.AST) -> Callable[[], None]:
    for name, value in ast.iter_fields(parent):
        if value is old:
            return _set(vars(parent), name, new)
        if isinstance(value, list) and any(item is old for item in value):
            return _set(value, next(i for i, item in enumerate(value) if item is old), new)
    raise AssertionError("a node stands in its parent")


def _set(where: Any, key: Any, value: Any) -> Callable[[], None]:
    before = where[key]
    where[key] = value
    return lambda: where.__setitem__(key, before)


def _described(file: str, number: int, site: _Site) -> Mutation:
    statement = next(n for n in reversed(site.chain) if isinstance(n, ast.stmt))
    first, last = _lines_of(statement)
    scopes = [n.name for n in site.chain if isinstance(n, _NAMED)]
    before, after = _texts_of(site)
    line = getattr(site.node, "lineno", first)
    place = ".".join(scopes)
    return Mutation(file, number, line, first, last, site.in_function, place, before, after)


def _lines_of(statement: ast.stmt) -> tuple[int, int]:
    """Return the lines of a statement without the block below it."""
    body = getattr(statement, "body", None)
    decorators = [d.lineno for d in getattr(statement, "decorator_list", [])]
    first = min([statement.lineno, *decorators])
    if isinstance(body, list) and body:
        return first, max(statement.lineno, body[0].lineno - 1)
    return first, statement.end_lineno or statement.lineno


def _texts_of(site: _Site) -> tuple[str, str]:
    """Return the largest expression around the change that is short enough, before and after."""
    shown = len(site.chain) - 1
    while shown > 0 and _is_short(site.chain[shown - 1]):
        shown -= 1
    before = ast.unparse(site.chain[shown])
    if site.chain[shown] is site.node and isinstance(site.node, ast.UnaryOp):
        after = ast.unparse(site.node.operand)
    else:
        undo = _change(site)
        after = ast.unparse(site.chain[shown])
        undo()
    return " ".join(before.split()), " ".join(after.split())


def _is_short(node: ast.AST) -> bool:
    is_block = isinstance(node, ast.Module) or isinstance(getattr(node, "body", None), list)
    return not is_block and len(ast.unparse(node)) <= _MOST_SHOWN
