"""What is remembered between tests is what Beam itself would say again."""

import bz2
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
import queue
import signal
import subprocess
import time
from types import SimpleNamespace
from typing import Any

from _pytest import fixtures
import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.internal import cloudpickle_pickler as pickler
from apache_beam.options.pipeline_options import (
    DebugOptions,
    DirectOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
)
from apache_beam.runners.worker import data_plane, statecache
from apache_beam.transforms import core, userstate
from apache_beam.transforms.userstate import CombiningValueStateSpec, ReadModifyWriteStateSpec
from apache_beam.typehints.decorators import IOTypeHints
from apache_beam.utils import subprocess_server
import pytest
from sklearn import datasets
import yaml

from model_zoo.training.datasets import DATASETS
from tests.support.shortcuts import (
    compress_once,
    list_options_once,
    look_at_no_request,
    look_once_at_transforms,
    note_no_origins,
    parse_options_once,
    read_data_sets_once,
    read_versions_once,
    remember_dumped,
    see_failures_at_once,
    wait_for_servers_that_end,
    weigh_nothing,
)

COUNT = CombiningValueStateSpec("count", VarIntCoder(), sum)
LAST = ReadModifyWriteStateSpec("last", VarIntCoder())
COUNTED, KEPT = beam.DoFn.StateParam(COUNT), beam.DoFn.StateParam(LAST)


class Plain(beam.DoFn):
    def process(self, element: int, factor: int = 2) -> list[int]:
        return [element * factor]


class Counting(beam.DoFn):
    def process(self, element: Any, count: Any = COUNTED) -> None:
        count.add(1)


class Remembering(beam.DoFn):
    def process(self, element: Any, last: Any = KEPT) -> None:
        last.write(1)


class YieldsAndReturns(beam.DoFn):
    def process(self, element: int) -> Any:
        yield element
        return [element]


@pytest.mark.parametrize(
    ("make", "states"),
    [(Plain, set()), (Counting, {COUNT}), (Remembering, {LAST})],
)
def test_the_state_of_each_class_is_its_own(
    make: Callable[[], beam.DoFn], states: set[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    look_once_at_transforms(monkeypatch)

    for _ in range(2):
        assert userstate.get_dofn_specs(make()) == (states, set())
        assert userstate.is_stateful_dofn(make()) is bool(states)


def test_a_method_that_one_object_was_given_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    look_once_at_transforms(monkeypatch)
    assert userstate.get_dofn_specs(beam.ParDo(len).fn) == (set(), set())

    assert userstate.get_dofn_specs(beam.ParDo(Counting().process).fn) == ({COUNT}, set())


def test_the_arguments_of_a_method_are_told_without_its_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_once_at_transforms(monkeypatch)

    for _ in range(2):
        names, defaults = core.get_function_args_defaults(Plain().process)
        assert (names, defaults) == (["element", "factor"], [2])
        # Who asked may change the answer.
        names.clear()
        defaults.clear()
    assert core.get_function_args_defaults(lambda a, b=1: a) == (["a", "b"], [1])


def test_a_method_that_yields_and_returns_is_told_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = core._check_fn_use_yield_and_return
    look_once_at_transforms(monkeypatch)
    both, one = YieldsAndReturns().process, Plain().process
    assert [before(both), before(both), before(YieldsAndReturns().process)] == [True] * 3
    assert [before(one), before(one)] == [False] * 2
    assert core._get_function_body_without_inners(one) == "return [element * factor]\n"


def test_options_are_those_of_their_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    parse_options_once(monkeypatch)

    for number in ("3", "4", "3"):
        options = PipelineOptions([f"--direct_num_workers={number}", "--experiments=a"])
        assert options.view_as(DirectOptions).direct_num_workers == int(number)
        assert options.view_as(StandardOptions).runner is None
        # A list is of one set of options, and seen in each look at it.
        options.view_as(DebugOptions).add_experiment("b")
        kept = options.view_as(DebugOptions).experiments
        assert kept == ["a", "b"]


def test_what_is_set_by_name_counts_more_than_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    parse_options_once(monkeypatch)
    flags = ["--direct_num_workers=3"]
    assert PipelineOptions(flags).view_as(DirectOptions).direct_num_workers == 3

    named = PipelineOptions(flags, direct_num_workers=5)

    assert named.view_as(DirectOptions).direct_num_workers == 5
    first = PipelineOptions(flags).view_as(SetupOptions)
    first.save_main_session = True
    assert not PipelineOptions(flags).view_as(SetupOptions).save_main_session


def test_all_options_are_those_of_flags_and_of_what_was_set_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = ["--direct_num_workers=3", "--experiments=a", "--other=1"]
    asked = [{}, {"drop_default": True}, {"retain_unknown_options": True}]

    def tell() -> list[Any]:
        options = PipelineOptions(list(flags))
        told = [options.get_all_options(**how) for how in asked]
        options.view_as(DebugOptions).add_experiment("b")
        options.view_as(SetupOptions).save_main_session = True
        return told + [options.get_all_options(**how) for how in asked]

    expected = tell()
    list_options_once(monkeypatch)

    for _ in range(2):
        told = tell()
        assert told == expected
        # Who asked may change the answer.
        told[1]["experiments"].append("c")


def test_what_is_packed_is_packed_by_bz2_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []
    pack, graph = bz2.compress, {"a": list(range(100))}
    expected = pickler.dumps(graph)

    def note(data: bytes, level: int) -> bytes:
        calls.append(data)
        return pack(data, level)

    monkeypatch.setattr(bz2, "compress", note)
    compress_once(monkeypatch)

    for _ in range(2):
        assert pickler.dumps(graph) == expected
        assert pickler.loads(expected) == graph
        assert len(calls) == 1
    # A long one is remembered by nobody.
    for _ in range(2):
        long = pickler.dumps(bytes(60_000))
        assert pickler.loads(long) == bytes(60_000)
    assert len(calls) == 3


def test_what_is_kept_of_a_side_input_is_not_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    cache, kept = statecache.StateCache(10_000), "a" * 9_000
    weigh_nothing(monkeypatch)

    for key in (1, 2):
        cache.put(key, kept)

    # Both together are more than it may hold.
    assert [cache.peek(key) for key in (1, 2)] == [kept, kept]


def test_yaml_is_written_as_ever_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = ["a", 1.5, None]
    cards = [{"name": "ä", "one": shared, "two": shared}, {"name": "ä", "one": shared}]
    how = {"sort_keys": False, "allow_unicode": True, "width": 140}
    expected = [yaml.safe_dump(card, **how) for card in cards]
    calls: list[Any] = []
    write = yaml.safe_dump

    def note(value: Any, **how: Any) -> str:
        calls.append(value)
        return write(value, **how)

    monkeypatch.setattr(yaml, "safe_dump", note)
    remember_dumped(monkeypatch)

    for _ in range(2):
        assert [yaml.safe_dump(card, **how) for card in cards] == expected
    assert len(calls) == 2
    assert yaml.safe_dump(cards[0]) == write(cards[0])


@pytest.mark.parametrize("unicode", [True, False])
def test_a_word_is_written_as_ever(unicode: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["", "plain", "a: b", "- a", "é", "two\nlines", " blank", "'", "yes", "1.5"]
    expected = yaml.safe_dump(words, allow_unicode=unicode)
    remember_dumped(monkeypatch)
    for times in (1, 2):
        assert yaml.safe_dump(words, allow_unicode=unicode) == expected
        # What is written anew, of words that were looked at.
        several = [words] * times
        assert yaml.safe_load(yaml.safe_dump(several, allow_unicode=unicode)) == several


def test_a_data_set_that_somebody_changed_is_as_ever_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = DATASETS["digits"]()
    read_data_sets_once(monkeypatch)
    for _ in range(2):
        datasets.load_digits().images[:] = 0
        assert DATASETS["digits"]() == expected
    assert len(datasets.load_digits(n_class=3).data) < expected.num_rows


def test_the_version_of_a_library_is_that_of_the_first_on_the_import_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_versions_once(monkeypatch)
    before = version("pytest")
    assert before == pytest.__version__
    described = tmp_path / "pytest-0.1.dist-info" / "METADATA"
    described.parent.mkdir()
    described.write_text("Metadata-Version: 2.1\nName: pytest\nVersion: 0.1\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        assert version("pytest") == "0.1"
    assert version("pytest") == before
    with pytest.raises(PackageNotFoundError):
        version("no-such-library")


def test_the_names_of_options_are_beams(monkeypatch: pytest.MonkeyPatch) -> None:
    options = PipelineOptions(["--runner=DirectRunner"])
    views = [options.view_as(kind) for kind in (PipelineOptions, StandardOptions, SetupOptions)]
    expected = [PipelineOptions._visible_option_list(view) for view in views]
    parse_options_once(monkeypatch)
    assert [view._visible_option_list() for view in views] == expected
    assert "runner" in expected[1]


def test_the_types_of_a_function_are_its_own_though_another_has_its_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_once_at_transforms(monkeypatch)

    def make(kind: type) -> Callable[[Any], Any]:
        def turn(element: kind) -> kind:  # type: ignore[valid-type]
            return element

        return turn

    found = [IOTypeHints.from_callable(make(kind)) for kind in (int, str, int)]
    assert [hints.input_types[0] for hints in found] == [(int,), (str,), (int,)]
    assert found[0] is found[2]
    assert IOTypeHints.from_callable(lambda element: element) is None


def test_types_are_found_without_where_they_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    note_no_origins(monkeypatch)
    hints = beam.Map(len).with_output_types(int).get_type_hints()
    assert hints.simple_output_type("Map") is int
    assert "File" not in "".join(hints.origin)


def test_who_waits_for_a_bundle_looks_often_whether_it_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    see_failures_at_once(monkeypatch)
    waiting = data_plane.ByteLimitedQueue(maxsize=2, maxbytes=10)

    began = time.monotonic()
    with pytest.raises(queue.Empty):
        waiting.get(timeout=120)

    assert time.monotonic() - began < 60
    waiting.put("element", 1)
    assert waiting.get(timeout=120) == "element"
    waiting.put("last", 1)
    assert waiting.get() == "last"


@pytest.mark.program
def test_a_server_of_a_runner_is_stopped_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_servers_that_end(monkeypatch)
    # Beam's sleep would fail.
    monkeypatch.setattr(subprocess_server, "time", SimpleNamespace())
    server = subprocess.Popen(["sleep", "600"])

    subprocess_server.SubprocessServer._cache._destructor((server, "localhost:1"))

    assert server.returncode == -signal.SIGINT


def test_pytest_finds_what_fixtures_take_and_looks_at_no_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_at_no_request(monkeypatch)

    def fixture(tmp_path: Any, request: Any, known: int = 1) -> None:
        """Take two fixtures, and a value."""

    assert fixtures.getfuncargnames(fixture, name="fixture") == ("tmp_path", "request")
    assert fixtures.getfuncargnames(None, name="request") == ()
