"""What tests in this process, and programs that they fork, need not do again and again, though a user's programs do.

Tests run a thousand jobs, each of which reads the same cards and waits for a disk that nobody unplugs: a fifth of the time of all.
What is remembered is what was made of the very same text, so nothing is left out but the repetition. A program that a test starts for
real knows nothing of this.
"""

from argparse import Namespace
import bz2
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from functools import cache, lru_cache, partial
import gettext
import importlib.metadata
import inspect
import os
import pickle
import signal
import subprocess
import sys
from types import FunctionType, MethodType, NoneType, SimpleNamespace
from typing import Any

from _pytest import fixtures
import pytest
import yaml

# Larger texts are made by tests of limits, which are to meet the parser.
_MOST_CHARACTERS = 50_000
_MOST_TEXTS = 2_000
_UNCHANGING = (str, int, float, NoneType)
_BETWEEN_LOOKS_SECONDS = 0.02
# Beam gives a server five seconds, and looks after each of them.
_SERVER_ENDS_SECONDS = 5


def take_shortcuts(patch: pytest.MonkeyPatch) -> None:
    """Take all of them, until `patch` is undone."""
    wait_for_no_disk(patch)
    remember_yaml(patch)
    remember_dumped(patch)
    read_versions_once(patch)
    read_data_sets_once(patch)
    look_once_for_translations(patch)
    look_once_at_transforms(patch)
    parse_options_once(patch)
    note_no_origins(patch)
    list_options_once(patch)
    compress_once(patch)
    weigh_nothing(patch)
    see_failures_at_once(patch)
    wait_for_servers_that_end(patch)
    look_at_no_request(patch)


def look_at_no_request(patch: pytest.MonkeyPatch) -> None:
    """Let pytest not inspect the function behind `request`, which takes nothing: it makes a new one for each parameter of each test."""
    find_names = fixtures.getfuncargnames

    def find(function: Any, *, name: str = "", cls: type | None = None) -> tuple[str, ...]:
        return () if name == "request" else find_names(function, name=name, cls=cls)

    patch.setattr(fixtures, "getfuncargnames", find)


def wait_for_no_disk(patch: pytest.MonkeyPatch) -> None:
    """Let `os.fsync` return at once, until `patch` is undone; what is no open file is still refused.

    Whether and when it is called is told by the tests that watch it here and stand at it in forked programs, and of a program that is
    started for real by `tests/faults/test_durability.py`.
    """
    patch.setattr(os, "fsync", _check_descriptor)


def _check_descriptor(file: Any) -> None:
    number = file if isinstance(file, int) else file.fileno()
    os.fstat(number)


def look_once_for_translations(patch: pytest.MonkeyPatch) -> None:
    """Let argparse ask the disk once, and not for every flag of Beam's, whether its words are translated."""
    patch.setattr(gettext, "find", lru_cache(maxsize=100)(gettext.find))


def remember_yaml(patch: pytest.MonkeyPatch) -> None:
    """Parse each short text once with each loader, until `patch` is undone; who asks gets values of their own."""
    parse = yaml.load

    # One that is refused is not remembered, and is refused by the parser each time.
    @lru_cache(maxsize=_MOST_TEXTS)
    def pickled(text: str, loader: type) -> bytes:
        value = parse(text, Loader=loader)
        return pickle.dumps(value)

    def load(text: Any, Loader: type) -> Any:  # noqa: N803 - PyYAML's own name
        if not isinstance(text, str) or len(text) > _MOST_CHARACTERS:
            return parse(text, Loader=Loader)
        return pickle.loads(pickled(text, Loader))

    patch.setattr(yaml, "load", load)


def remember_dumped(patch: pytest.MonkeyPatch) -> None:
    """Write the same values as YAML once, until `patch` is undone: a thousand small packages have a few cards between them."""
    write = yaml.safe_dump

    @lru_cache(maxsize=_MOST_TEXTS)
    def written(pickled: bytes) -> str:
        value, how = pickle.loads(pickled)
        text: str = write(value, **how)
        return text

    def dump(value: Any, stream: Any = None, **how: Any) -> Any:
        if stream is not None:
            return write(value, stream, **how)
        return written(pickle.dumps((value, how)))

    patch.setattr(yaml, "safe_dump", dump)
    # Most words of a card are those of others, and each of their letters is looked at to see how it may be written.
    look_at = yaml.emitter.Emitter.analyze_scalar

    @lru_cache(maxsize=_MOST_TEXTS)
    def seen(unicode: bool, text: str) -> Any:
        emitter: Any = SimpleNamespace(allow_unicode=unicode)
        return look_at(emitter, text)

    def look(emitter: Any, text: str) -> Any:
        return seen(bool(emitter.allow_unicode), text)

    patch.setattr(yaml.emitter.Emitter, "analyze_scalar", look)


def read_data_sets_once(patch: pytest.MonkeyPatch) -> None:
    """Let scikit-learn parse each of its small files of text once; who asks gets a copy."""
    # Who trains on one of them imports this first.
    if "model_zoo.training.datasets" not in sys.modules:
        return
    from sklearn import datasets

    for name in ("load_breast_cancer", "load_digits"):
        remembered = cache(getattr(datasets, name))
        patch.setattr(datasets, name, partial(_copy_of, remembered))


def _copy_of(remembered: Callable[..., Any], **how: Any) -> Any:
    return deepcopy(remembered(**how))


def read_versions_once(patch: pytest.MonkeyPatch) -> None:
    """Let Python read once what each library that is installed says of itself, and not for each package that names its version."""
    # By the import path: a test may put a library in front of another.
    find = lru_cache(maxsize=1_000)(
        lambda name, path: importlib.metadata.Distribution.from_name(name)
    )
    patch.setattr(importlib.metadata, "distribution", lambda name: find(name, tuple(sys.path)))
    read = importlib.metadata.Distribution.version.fget
    assert read is not None
    remembered = lru_cache(maxsize=1_000)(read)
    patch.setattr(importlib.metadata.Distribution, "version", property(remembered))


def look_once_at_transforms(patch: pytest.MonkeyPatch) -> None:
    """Let Beam inspect each method and each class of DoFns once, and read its source once, not for each of a thousand graphs.

    Beam is imported by then if a test needs it; where none does, nobody waits for its import.
    """
    if "apache_beam" not in sys.modules:
        return
    from apache_beam.transforms import core, userstate
    from apache_beam.typehints.decorators import IOTypeHints

    inspect_method = _of_methods_once(core.get_function_args_defaults)
    patch.setattr(core, "get_function_args_defaults", inspect_method)
    find_specs = _of_classes_once(userstate.get_dofn_specs)
    patch.setattr(userstate, "get_dofn_specs", find_specs)
    read_body = _of_codes_once(core._get_function_body_without_inners)
    patch.setattr(core, "_get_function_body_without_inners", read_body)
    read_hints = _of_signatures_once(IOTypeHints.from_callable)
    patch.setattr(IOTypeHints, "from_callable", staticmethod(read_hints))


def _of_methods_once(inspect: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Remember what is found out of each method; a function that a transform was given may never come again."""
    remembered = lru_cache(maxsize=1_000)(inspect)

    def look(function: Any) -> tuple[list[str], list[Any]]:
        method = getattr(function, "__func__", None)
        if method is None:
            return inspect(function)
        names, defaults = remembered(method)
        # The first is the object that the method is bound to.
        return names[1:], list(defaults)

    return look


def _of_codes_once(read: Callable[[Any], str]) -> Callable[[Any], str]:
    """Remember what is read of a function's source by its code, which methods of a thousand objects share."""
    remembered = lru_cache(maxsize=1_000)(read)

    def look(function: Any) -> str:
        code = getattr(inspect.unwrap(function), "__code__", None)
        return read(function) if code is None else remembered(code)

    return look


def _of_signatures_once(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Remember what is read of a function's signature, which those have in common that a transform makes anew for each graph."""
    remembered: dict[Any, Any] = {}

    def look(function: Any) -> Any:
        plain = getattr(function, "__func__", function)
        # A function's own attributes may tell of another signature.
        if not isinstance(plain, FunctionType) or vars(plain):
            return read(function)
        is_bound = plain is not function
        key = plain.__code__, is_bound, tuple(plain.__annotations__.items())
        if key not in remembered:
            remembered[key] = read(function)
        return remembered[key]

    return look


def _of_classes_once(find: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Remember what is found out of each class of DoFns; one that was given a method of its own is looked at each time."""
    remembered: dict[type, tuple[frozenset[Any], frozenset[Any]]] = {}

    def look(dofn: Any) -> tuple[set[Any], set[Any]]:
        own = vars(dofn).values()
        if any(isinstance(value, MethodType) for value in own):
            return find(dofn)
        kind = type(dofn)
        if kind not in remembered:
            states, timers = find(dofn)
            remembered[kind] = frozenset(states), frozenset(timers)
        states, timers = remembered[kind]
        return set(states), set(timers)

    return look


def parse_options_once(patch: pytest.MonkeyPatch) -> None:
    """Let Beam parse the same flags once for each of its classes of options, and not at each look at one of them."""
    if "apache_beam" not in sys.modules:
        return
    from apache_beam.options.pipeline_options import PipelineOptions

    make = PipelineOptions.__init__
    remembered: dict[tuple[type, tuple[str, ...]], tuple[Namespace, dict[str, Any]]] = {}

    def look(self: Any, flags: Any = None, **overrides: Any) -> None:
        # Without flags, it is the command line that counts; overrides are kept, and not copied.
        if not isinstance(flags, list) or overrides:
            make(self, flags, **overrides)
            return
        key = type(self), tuple(flags)
        if key not in remembered:
            make(self, flags)
            remembered[key] = _copy_options(self._visible_options, self._all_options)
            return
        self._flags = flags
        self._visible_options, self._all_options = _copy_options(*remembered[key])

    patch.setattr(PipelineOptions, "__init__", look)
    # Beam sorts all that an object has, for each look at one option.
    patch.setattr(PipelineOptions, "_visible_option_list", _list_options)


def list_options_once(patch: pytest.MonkeyPatch) -> None:
    """Let Beam parse the same flags once for what it calls all options, which each run asks for three times."""
    if "apache_beam" not in sys.modules:
        return
    from apache_beam.options.pipeline_options import PipelineOptions

    list_all = PipelineOptions.get_all_options
    remembered: dict[tuple[Any, ...], dict[str, Any]] = {}

    def look(self: Any, **asked: Any) -> dict[str, Any]:
        own = self._all_options
        key = tuple(self._flags), tuple(sorted(asked.items())), repr(own)
        if key not in remembered:
            # A list of its own, as who asked may change what it gets.
            remembered[key] = deepcopy(list_all(self, **asked))
        return {
            name: own[name] if name in own else deepcopy(value)
            for name, value in remembered[key].items()
        }

    patch.setattr(PipelineOptions, "get_all_options", look)


def compress_once(patch: pytest.MonkeyPatch) -> None:
    """Let Beam pack the same bytes once, and unpack them once: each graph is packed twice, and a thousand graphs are much alike."""
    if "apache_beam" not in sys.modules:
        return
    from apache_beam.internal import cloudpickle_pickler

    pack = lru_cache(maxsize=_MOST_TEXTS)(bz2.compress)
    unpack = lru_cache(maxsize=_MOST_TEXTS)(bz2.decompress)

    def compress(data: bytes, compresslevel: int = 9) -> bytes:
        is_short = len(data) <= _MOST_CHARACTERS
        return (pack if is_short else bz2.compress)(data, compresslevel)

    def decompress(data: bytes) -> bytes:
        is_short = len(data) <= _MOST_CHARACTERS
        return (unpack if is_short else bz2.decompress)(data)

    remembering = SimpleNamespace(compress=compress, decompress=decompress)
    patch.setattr(cloudpickle_pickler, "bz2", remembering)


def weigh_nothing(patch: pytest.MonkeyPatch) -> None:
    """Let Beam take what it keeps of a side input for light: to weigh it, it walks through all that every module holds."""
    if "apache_beam" not in sys.modules:
        return
    from apache_beam.runners.worker import statecache

    patch.setattr(statecache, "get_deep_size", lambda *values: len(values))


def _list_options(options: Any) -> list[str]:
    return sorted(vars(options._visible_options))


def note_no_origins(patch: pytest.MonkeyPatch) -> None:
    """Let Beam not walk through the stack to note, for people who look for a type, from where each transform was made."""
    if "apache_beam" not in sys.modules:
        return
    from apache_beam.typehints.decorators import IOTypeHints

    note = IOTypeHints._make_origin

    def note_bases(bases: Any, tb: bool = True, msg: Any = ()) -> list[str]:
        origin: list[str] = note(bases, tb=False, msg=msg)
        return origin

    patch.setattr(IOTypeHints, "_make_origin", staticmethod(note_bases))


def see_failures_at_once(patch: pytest.MonkeyPatch) -> None:
    """Let Beam look often whether a bundle has failed whose output it waits for: it looks once a second, and so long each failed run took."""
    if "apache_beam" not in sys.modules:
        return
    from apache_beam.runners.worker import data_plane

    class Restless(data_plane.ByteLimitedQueue):  # type: ignore[misc]
        def get(self, *, block: bool = True, timeout: float | None = None) -> Any:
            # Who gives no time looks at nothing else.
            seconds = None if timeout is None else min(timeout, _BETWEEN_LOOKS_SECONDS)
            return super().get(block=block, timeout=seconds)

    patch.setattr(data_plane, "ByteLimitedQueue", Restless)


def wait_for_servers_that_end(patch: pytest.MonkeyPatch) -> None:
    """Let Beam go on as soon as a runner's server that it has stopped has ended, as Prism does at once; it sleeps for a second."""
    if "apache_beam" not in sys.modules:
        return
    from apache_beam.utils.subprocess_server import SubprocessServer

    servers = SubprocessServer._cache
    make_sure = servers._destructor

    def stop(server: tuple[subprocess.Popen[bytes] | None, str]) -> None:
        process, _ = server
        if process is not None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SERVER_ENDS_SECONDS)
        make_sure(server)

    patch.setattr(servers, "_destructor", stop)


def _copy_options(visible: Namespace, known: dict[str, Any]) -> tuple[Namespace, dict[str, Any]]:
    """Copy what can be changed, which is little of three hundred values, and once where both hold it."""
    copies: dict[int, Any] = {}

    def copy(value: Any) -> Any:
        return value if isinstance(value, _UNCHANGING) else deepcopy(value, copies)

    seen = {name: copy(value) for name, value in vars(visible).items()}
    return Namespace(**seen), {name: copy(value) for name, value in known.items()}
