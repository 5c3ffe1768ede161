"""Write the page of what is promised of the service under stress, from the figures that a run of the tests left.

GRID_FIGURES=figures ./gridwhistle test --soak      runs everything at full size and leaves a file for each promise
python docs/reference/reliability.py figures        writes reliability.md from them
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["page"]

_HERE = Path(__file__).parent

PROMISES: tuple[tuple[str, str, str, str, str, str], ...] = (
    # name, promise, how it is tested, what must be found without the guard, ordinary size, full size
    (
        "A3",
        "A request that comes twice happens once; every copy gets the same bytes.",
        "Copies of one key sent at once over HTTP; then each key with another body.",
        "A key that is looked up and not held.",
        "40 keys x 8",
        "500 keys x 20",
    ),
    (
        "B1",
        "A clock fires exactly once, over several workers, kills and crashes of the database.",
        "Four workers and a real PostGIS, both killed again and again.",
        "A sweeper that looks, acts and marks without a lock.",
        "1,500 clocks, 8 kills",
        "20,000 clocks, 60 kills, 5 crashes",
    ),
    (
        "B2",
        "No clock fires early; 99 of 100 within two seconds; a backlog drains in order.",
        "Clocks that run out while reports come in; an outage of an hour.",
        "In the same file.",
        "300 clocks, 1,500 overdue",
        "20,000 clocks, 10,000 overdue",
    ),
    (
        "B3",
        "An answer and the end of its time never both win.",
        "Answers a microsecond before, at and after the due moment, racing the sweeper without its grace.",
        "Judging by who was first: shown wrong in the same file.",
        "150 pairs",
        "5,001 pairs",
    ),
    (
        "B4",
        "Due moments are right, over holidays and made-up working days; an unknown year is refused.",
        "Random questions against an oracle that walks through the minutes, 2024 to 2026.",
        "A calendar without made-up days.",
        "50,000 moments",
        "500,000 moments",
    ),
    (
        "B5",
        "The time zone of the machine changes no due moment.",
        "3,500 due moments in processes that live in Shanghai, New York and UTC.",
        "The zone is seen to take effect.",
        "as full",
        "2 x 3,500 moments",
    ),
    (
        "B6",
        "No due moment moves without a step of the history that says why.",
        "Random suspensions, extensions and ledger items; every clock held against the history.",
        "A moment that was moved in silence; a database without its trigger.",
        "300 steps",
        "600 steps",
    ),
    (
        "B7",
        "No message is lost when the sender is killed; a repeat carries the same id.",
        "The sender killed with messages in hand, against a real HTTP server.",
        "A sender that forgets what it has in hand.",
        "10 kills",
        "200 kills",
    ),
    (
        "C1",
        "Nothing happens to a case but what the rules say, and all of that.",
        "Hypothesis drives the use cases on PostGIS beside a model in plain Python: states, clocks, refusals agree.",
        "A model with one row changed; a use case that forgets a guard.",
        "24 cases, some 2,000 steps",
        "2,560 cases, some 200,000 steps",
    ),
    (
        "C2",
        "Every act in every state by every role is done or refused by name; refusing writes nothing.",
        "All acts on things in each state; each act's route for strangers and for people of another role.",
        "A use case that does not ask its table.",
        "all cells that a table allows, one in ten of the others",
        "all cells",
    ),
    (
        "C3",
        "Whoever acts at the same moment, the history is a path of the tables, without a gap, and nothing hangs.",
        "Sixteen commands at once on one whistle, each on a connection of its own.",
        "No lock on the case.",
        "60 rounds",
        "5,000 rounds",
    ),
    (
        "C4",
        "The history alone rebuilds every state.",
        "Replayed after every case of C1, every case of C3 and over the made-up district.",
        "Steps left out, doubled or changed; a row changed behind the history's back.",
        "a tiny district",
        "a district with a year of cases",
    ),
    (
        "C5",
        "Merging reports loses nobody: everyone who reported is called back, once.",
        "Reports of several people merged into one case, directly and by way of another.",
        "Who was reached is not called again.",
        "as full",
        "5 reports of 3 people",
    ),
)


def page(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page. figures : what the runs left, by the name of the file without its end."""
    return "\n".join(_lines(figures)) + "\n"


def _lines(figures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "# Reliability"
    yield ""
    yield "What is promised, how it is tried, and what came of it. Made by `docs/reference/reliability.py` from the"
    yield "figures of a run; do not edit. Every test has its control: with the guard taken away it must go red."
    yield ""
    yield "```sh"
    yield "GRID_FIGURES=figures ./gridwhistle test --soak    # full size; without --soak, the ordinary run"
    yield ".venv/bin/python docs/reference/reliability.py figures"
    yield "```"
    yield ""
    yield "| | promise | how it is tried | without the guard it finds | ordinary run | full size |"
    yield "|---|---|---|---|---|---|"
    for row in PROMISES:
        yield "| " + " | ".join(row) + " |"
    yield ""
    yield "## Figures"
    yield ""
    yield "| | figures | date | machine | run |"
    yield "|---|---|---|---|---|"
    for name, *_ in PROMISES:
        mine = sorted(one for one in figures if one == name or one.startswith(f"{name}-"))
        if not mine:
            yield f"| {name} | not in these runs | | | |"
        for one in mine:
            said = figures[one]
            command = f"`{said['command']}`"
            yield f"| {one} | {_told(said['figures'])} | {said['date']} | {said['machine']} | {command} |"
    yield ""
    yield "C3 counts as losers all whom the rules refuse: most with a conflict, others because the thing has gone out"
    yield "of their sight or to somebody else meanwhile. The model of C1 does not count time: when a clock runs out and"
    yield "until when something is due it is told, which B4 and B6 hold; the reminder at a share of the time is left"
    yield "out."


def _told(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{_value(value)} {name.replace('_', ' ')}" for name, value in figures.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{_value(one)} {name}" for name, one in value.items()) + ")"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _read(folders: list[str]) -> dict[str, Any]:
    """Read what the runs left; a later folder replaces an earlier one's figures."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted(Path(folder).glob("*.json"))
    }


if __name__ == "__main__":
    (_HERE / "reliability.md").write_text(page(_read(sys.argv[1:])), encoding="utf-8")
