"""Which steps of a case's history a department reads: what happened, but not what others were told or given.

Callbacks are between the town's reporters and those who call them; marks are for the department that they are
about, once its result stands, so that nobody's marks lean on another's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["Reader", "is_readable"]

_CALLS = frozenset({"callback", "follow"})
_MARKS = frozenset({"score", "appraise", "appraised", "appeal", "decide_appeal"})


@dataclass(frozen=True, slots=True)
class Reader:
    """A department that reads a history, by the letters of the case's tasks.

    own : of its own tasks. marked : those of them that have a result. led : where it leads, of those who work
    with it.
    """

    own: Collection[str] = ()
    marked: Collection[str] = ()
    led: Collection[str] = ()


def is_readable(reader: Reader, *, machine: str, action: str, letter: str | None) -> bool:
    """Tell whether a department reads a step; letter : of the task that the step is on, None for another."""
    if machine == "incident" and action in _CALLS:
        return False
    if action in _MARKS:
        return letter in reader.own and letter in reader.marked
    if action == "score_peer":
        return letter in reader.led or letter in reader.marked
    return True
