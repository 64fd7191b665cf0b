from collections.abc import Iterator
from contextlib import contextmanager
import pickle
import threading

from hypothesis import given
from hypothesis import strategies as st
import pytest

from configs import errors
from configs.errors import (
    BudgetError,
    CrashError,
    InputError,
    JobError,
    ModelError,
    OtherContentError,
    PublishError,
    Refusal,
    RejectedRows,
    ServerError,
    SupersededError,
    VerifyError,
    WorkerError,
    crashes_as_errors,
    refusal_in,
    refusal_of,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (WorkerError, 1),
        (JobError, 2),
        (InputError, 3),
        (ModelError, 3),
        (VerifyError, 3),
        (BudgetError, 4),
        (PublishError, 5),
        (OtherContentError, 5),
        (SupersededError, 5),
        (ServerError, 5),
        (Refusal, 1),
    ],
)
def test_every_refusal_has_the_exit_status_of_the_design(error: type[Refusal], status: int) -> None:
    assert error("x").status == status


def test_a_message_is_one_line() -> None:
    assert str(InputError("a\n  b\tc\r\nd")) == "a b c d"


def test_a_refusal_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(InputError("a.csv: gone")))
    assert (type(again), str(again)) == (InputError, "a.csv: gone")


def test_the_refusal_is_found_in_a_workers_traceback() -> None:
    text = (
        'Traceback (most recent call last):\n  File "read.py", line 3, in process\n'
        "    raise InputError(message)\nconfigs.errors.InputError: /data/a [b].csv: changed; start again "
        "[while running 'ReadShards/Rows-ptransform-12']\n\nDuring handling of the above exception ...\n"
    )
    found = refusal_in(text)
    assert (type(found), str(found)) == (InputError, "/data/a [b].csv: changed; start again")


def test_the_refusal_is_found_in_text_with_escaped_newlines() -> None:
    found = refusal_in(
        r"RuntimeError: 'Traceback\nconfigs.errors.BudgetError: 3 of 9 rows\n\nmore'"
    )
    assert (type(found), str(found)) == (BudgetError, "3 of 9 rows")


def test_the_last_of_several_refusals_counts() -> None:
    found = refusal_in(
        "configs.errors.ModelError: inner\n...\nconfigs.errors.ModelError: s from row 4: inner [while running 'P']"
    )
    assert str(found) == "s from row 4: inner"
    found = refusal_in(
        "configs.errors.ModelError: a\nconfigs.errors.InputError: b\nconfigs.errors.Unheard: c\n"
    )
    assert (type(found), str(found)) == (InputError, "b")


@pytest.mark.parametrize(
    "text", ["", "ValueError: x", "configs.errors.Unheard: x", "myconfigs.errors InputError: x"]
)
def test_other_text_holds_no_refusal(text: str) -> None:
    assert refusal_in(text) is None


@given(
    st.text(
        st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\\["),
        min_size=1,
    ).filter(str.strip)
)
def test_any_one_line_message_comes_back_from_the_runners_text(message: str) -> None:
    error = InputError(message)
    text = f"Traceback\nconfigs.errors.InputError: {error} [while running 'ReadShards']\n"
    assert str(refusal_in(text)) == str(error)


def test_every_refusal_of_the_module_can_be_found_again() -> None:
    classes = [
        c
        for c in vars(errors).values()
        if isinstance(c, type) and issubclass(c, Refusal) and c is not Refusal
    ]
    assert len(classes) >= 6
    for error in classes:
        assert type(refusal_in(f"configs.errors.{error.__name__}: x")) is error


def test_the_refusal_of_an_error_is_itself_or_what_a_runner_wrapped_up() -> None:
    assert str(refusal_of(BudgetError("3 of 9 rows"))) == "3 of 9 rows"
    assert (
        str(refusal_of(RuntimeError("configs.errors.InputError: a.csv: gone [while running 'P']")))
        == "a.csv: gone"
    )
    assert refusal_of(RuntimeError("no words of ours")) is None


def test_a_refusal_that_is_made_of_other_things_than_its_message_keeps_it() -> None:
    class ColumnsError(JobError):
        def __init__(self, columns: list[str]) -> None:
            super().__init__(f"columns: {', '.join(columns)}")

    found = refusal_of(ColumnsError(["born", "since"]))
    assert isinstance(found, ColumnsError)
    assert (str(found), found.status) == ("columns: born, since", 2)


def test_rejected_rows_can_pass_a_context_manager() -> None:
    @contextmanager
    def block() -> Iterator[None]:
        yield

    with pytest.raises(RejectedRows), block():
        raise RejectedRows({0: ValueError("x")})


@pytest.mark.parametrize("name", ["../secret\nsecond", "a\n\x1b[2Jb", "\n"])
def test_a_strangers_name_with_the_end_of_a_line_ends_no_message(name: str) -> None:
    refusal = ModelError(f"model.onnx: takes numbers from {name!r}; pack the model again")
    message = str(refusal)
    assert message.endswith("; pack the model again")
    # As it is, with the step that a local runner adds, and as text in another error's text.
    assert str(refusal_of(refusal)) == message
    assert str(refusal_of(ModelError(f"{message} [while running 'Predict']"))) == message
    wrapped = RuntimeError(f"configs.errors.ModelError: {message}\n")
    assert str(refusal_of(wrapped)) == message
    assert str(refusal_in(repr(str(wrapped)))) == message.replace("\\", "\\\\")


def test_a_strangers_long_name_leaves_what_to_do_in_sight() -> None:
    of_a_word = str(ModelError(f"model.onnx: has {'E' * 200_000!r}; pack the model again"))
    of_many = str(ModelError(f"model.onnx: has {'E ' * 200_000!r}; pack the model again"))
    for message in (of_a_word, of_many):
        assert len(message) <= 20_000
        assert message.startswith("model.onnx: has 'E")
        assert message.endswith("; pack the model again")


def test_a_path_and_all_that_is_asked_for_stay_whole() -> None:
    message = f"/{'folder/' * 500}rows.csv: gone; {'name a column, ' * 1_000}and start again"
    assert str(InputError(message)) == message


@pytest.mark.parametrize(
    ("letter", "most"),
    [
        # A word, as a stranger calls something, and all words of a line.
        ("x", 8_000),
        ("x ", 20_000),
    ],
)
def test_what_is_as_long_as_it_may_be_is_whole(letter: str, most: int) -> None:
    count = most // len(letter)
    message = (letter * count).strip().ljust(most, "y")
    assert len(message) == most
    assert str(JobError(message)) == message
    longer = str(JobError(f"z{message}"))
    assert "..." in longer
    assert longer.startswith("zx")
    assert len(longer) < most


def raise_there(crash: BaseException) -> None:
    with crashes_as_errors():
        raise crash


def test_what_would_end_the_program_is_an_error_and_ctrl_c_is_not() -> None:
    with pytest.raises(CrashError, match="SystemExit: 3"):
        raise_there(SystemExit(3))
    with pytest.raises(KeyboardInterrupt):
        raise_there(KeyboardInterrupt())
    with pytest.raises(KeyError):
        raise_there(KeyError())


def test_only_the_main_thread_is_told_of_ctrl_c() -> None:
    caught: list[BaseException] = []

    def work() -> None:
        with pytest.raises(CrashError) as raised:
            raise_there(KeyboardInterrupt())
        caught.append(raised.value)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [str(error) for error in caught] == ["KeyboardInterrupt"]
