"""Functions that are there already get the code of a mutation, and modules its numbers, with nothing imported anew."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
import cProfile
import gc
import sys
from types import CodeType, FunctionType

from tests.mutants.mutations import REPOSITORY, ROOMS, Mutation, mutated_code, mutated_tree

# File, qualified name and first line of a function.
Place = tuple[str, str, int]
# By file.
Functions = Mapping[str, Sequence[FunctionType]]


def place_of(code: CodeType) -> Place:
    """Return by what a function is known, wherever it was read from."""
    return code.co_filename, code.co_qualname, code.co_firstlineno


def places_in(profile: cProfile.Profile) -> Iterator[Place]:
    """Yield the functions that were called while a profile was taken."""
    for entry in profile.getstats():
        # What is written in C has a name alone.
        if isinstance(entry.code, CodeType):
            yield place_of(entry.code)


def functions_by_file() -> Functions:
    """Return the functions of our files that there are by now."""
    gc.unfreeze()  # what is frozen is not among the objects
    found: dict[str, list[FunctionType]] = defaultdict(list)
    for thing in gc.get_objects():
        if type(thing) is FunctionType:
            path = thing.__code__.co_filename
            if path.startswith(f"{REPOSITORY}/"):
                found[path.removeprefix(f"{REPOSITORY}/")].append(thing)
    gc.freeze()
    return found


def give_mutation(mutation: Mutation, functions: Sequence[FunctionType]) -> None:
    """Give functions of the mutated file its code, or the module its number, as far as that can be.

    Args:
        functions: of the file, wherever they are used from.
    """
    if mutation.in_function:
        give_code(functions, _mutated_module(mutation))
    else:
        _give_number(mutation)


def changed_places(mutation: Mutation, functions: Sequence[FunctionType]) -> set[Place]:
    """Return which of a file's functions a mutation changes."""
    changed = _list_changed(functions, _mutated_module(mutation))
    return {place_of(function.__code__) for function, _ in changed}


def give_code(functions: Sequence[FunctionType], module: CodeType) -> bool:
    """Give functions the code that they have in other code of their module.

    A function is found by its qualified name and first line; of two with the same, neither is.

    Args:
        functions: of one file, wherever they are used from.
        module: the whole file's code, with the same names in the same lines.

    Returns:
        Whether any function has other code now.
    """
    changed = _list_changed(functions, module)
    for function, code in changed:
        function.__code__ = code
    return bool(changed)


def _list_changed(
    functions: Sequence[FunctionType], module: CodeType
) -> list[tuple[FunctionType, CodeType]]:
    codes = _codes_by_place(module)
    changed = []
    for function in functions:
        old = function.__code__
        new = codes.get(place_of(old))
        if new is not None and new != old:
            changed.append((function, new))
    return changed


def _codes_by_place(module: CodeType) -> dict[Place, CodeType | None]:
    found: dict[Place, CodeType | None] = {}
    waiting = [module]
    while waiting:
        inner = [constant for constant in waiting.pop().co_consts if isinstance(constant, CodeType)]
        waiting += inner
        for code in inner:
            place = place_of(code)
            found[place] = None if place in found else code
    return found


def _mutated_module(mutation: Mutation) -> CodeType:
    path = REPOSITORY / mutation.file
    return mutated_code(str(path), path.read_text(), mutation.number)


def _give_number(mutation: Mutation) -> None:
    """Give a module the number that a mutated line of it assigns, where nobody else holds that.

    A test that has imported it may have been collected by its value, as no mutation would have it.
    """
    module = sys.modules.get(mutation.file.removesuffix(".py").replace("/", "."))
    tree = mutated_tree((REPOSITORY / mutation.file).read_text(), mutation.number)
    lines = [line for line in tree.body if line.lineno == mutation.first_line]
    if module is None or not lines or not isinstance(lines[0], ast.Assign):
        return
    line = lines[0]
    target = line.targets[0]
    if not isinstance(target, ast.Name):
        return
    name = target.id
    # A private one may be of its own in each room.
    rooms = ("tests",) if name.startswith("_") else ("tests", *ROOMS)
    others = [found for where, found in list(sys.modules.items()) if where.startswith(rooms)]
    if any(name in vars(other) for other in others if other is not module):
        return
    names = dict(vars(module))
    exec(compile(ast.Module([line], []), module.__name__, "exec"), names)  # noqa: S102 - a line of ours
    if isinstance(names[name], bool | int | float | tuple):
        setattr(module, name, names[name])
