"""What `shown` does with long and hostile text; what it blots out is tested in tests/security/test_row_values.py."""

import time

import pytest

from configs.messages import shown

# CPU time that a message may take, many times over what it does; what is quadratic takes minutes.
FAR_TOO_LONG = 10.0


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        "7",
        "7,",
        "'",
        "''a",
        '"',
        "\\",
        "`",
        "\u2018",
        "\u201c",
        "@",
        "a@",
        "@a",
        "_1",
        "a_",
        "-1 ",
        "b'",
        "(a",
        "\\'",
        '"\\',
    ],
)
def test_a_long_message_takes_no_longer_for_what_stands_in_it(piece: str) -> None:
    started = time.process_time()
    for _ in range(60):
        shown(ValueError(piece * (8_000 // len(piece))))
    assert time.process_time() - started < FAR_TOO_LONG


@pytest.mark.parametrize(
    "mail",
    ["ann@example.org", "@ann@example.org", "ann@@example.org", "a@b@c", "mailto:ann@example.org", "<ann@example.org>", "=ann@x"],
)
def test_mail_addresses_are_blotted_out_however_they_are_spelt(mail: str) -> None:
    line = shown(ValueError(f"mail {mail}, please"))
    assert line.replace("@***", "***").replace("mailto:***", "***").replace("<***>", "***") == "mail ***, please"
