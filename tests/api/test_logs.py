"""Logs are lines of JSON that say when, how serious, what, and the facts of the case."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from api.logs import configure


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the logs of this process say, until the test ends."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure(stream)
    yield stream
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def test_a_log_line_says_how_serious_from_where_and_what(written: io.StringIO) -> None:
    logging.getLogger("gridwhistle.deadlines").warning("哨子 %s 已吹响", 7)

    line = json.loads(written.getvalue())
    assert (line["level"], line["from"], line["message"]) == (
        "warning",
        "gridwhistle.deadlines",
        "哨子 7 已吹响",
    )


def test_facts_become_members_of_the_line(written: io.StringIO) -> None:
    logging.getLogger("gridwhistle").info("served", extra={"facts": {"status": 201, "id": "r-1"}})

    line = json.loads(written.getvalue())
    assert (line["status"], line["id"]) == (201, "r-1")


def test_a_fault_keeps_its_traceback_on_the_same_line(written: io.StringIO) -> None:
    try:
        raise ValueError("no such grid")
    except ValueError:
        logging.getLogger("gridwhistle").exception("unexpected")

    assert written.getvalue().count("\n") == 1
    assert "ValueError: no such grid" in json.loads(written.getvalue())["trace"]
