"""Forms: what was typed, what was wrong with it, and how text becomes values.

A form that cannot be carried out comes back with its input kept and the problem beside the field that it is
about; a use case that fails half way is undone as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol, TypeVar

from starlette.datastructures import FormData

from gis.errors import CityError, Conflict, Forbidden, InvalidInput
from grids.rules.calendar import SHANGHAI

__all__ = [
    "Filled",
    "date_of",
    "day_of",
    "moment_of",
    "number_of",
    "own_path",
    "text_of",
    "tried",
    "whole_of",
]

_T = TypeVar("_T")


class _Session(Protocol):
    def begin_nested(self) -> Any: ...


@dataclass(frozen=True)
class Filled:
    """One form as it was sent: its id, its values and, where it failed, the problem.

    A form that was not sent has no values and no problem, so a template asks the same of both.
    """

    id: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    problem: CityError | None = None

    @classmethod
    def of(cls, form_id: str, data: FormData, problem: CityError | None = None) -> Filled:
        """Return a form from what the browser sent; files are left out."""
        return cls(form_id, {key: value for key, value in data.items() if isinstance(value, str)}, problem)

    def form(self, form_id: str) -> Filled:
        """Return this form if it has this id, else an empty one with it."""
        return self if self.id == form_id else Filled(form_id)

    @property
    def sent(self) -> bool:
        """Whether it was sent and came back."""
        return bool(self.values) or self.problem is not None

    @property
    def wrong(self) -> str | None:
        """The field that the problem is about, None where it is about no field."""
        named = self.problem.facts.get("field") if self.problem else None
        return str(named).rpartition(".")[2] if named else None

    def get(self, name: str, default: object = "") -> str:
        """Return what stood in a field, else a default."""
        if self.values:
            return self.values.get(name, "")
        return "" if default is None else str(default)


def tried(session: _Session, act: Callable[[], _T]) -> _T | CityError:
    """Carry out an act; where it cannot be, undo all of it and return why.

    Only what the person can mend comes back; a thing that is missing or a database that is busy is raised on.
    """
    try:
        with session.begin_nested():
            return act()
    except (InvalidInput, Conflict, Forbidden) as problem:
        return problem


def text_of(data: FormData | Mapping[str, Any], name: str) -> str | None:
    """Return a field's text without blanks around it, None where it is empty or missing."""
    value = data.get(name)
    return value.strip() or None if isinstance(value, str) else None


def number_of(data: FormData | Mapping[str, Any], name: str) -> float | None:
    """Return a field as a finite number, None where it is empty. Raises `InvalidInput` ("bad_number")."""
    text = text_of(data, name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value - value != 0:  # neither NaN nor infinite differ from themselves by nothing
        raise InvalidInput("bad_number", f"{name} is not a number", field=name, got=text[:40])
    return value


def whole_of(data: FormData | Mapping[str, Any], name: str) -> int | None:
    """Return a field as a whole number, None where it is empty. Raises `InvalidInput` ("bad_number")."""
    value = number_of(data, name)
    if value is None:
        return None
    if value != int(value):
        raise InvalidInput("bad_number", f"{name} is not a whole number", field=name, got=str(value))
    return int(value)


def moment_of(data: FormData | Mapping[str, Any], name: str) -> datetime | None:
    """Return a date and time of the city's clock as UTC, None where it is empty.

    Raises `InvalidInput` ("bad_time").
    """
    text = text_of(data, name)
    if text is None:
        return None
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise _bad_time(name, text, "date and time such as 2026-11-21 14:32") from None
    if local.year not in _YEARS:
        raise _bad_time(name, text, "date and time of this century")
    return local.replace(tzinfo=local.tzinfo or SHANGHAI).astimezone(UTC)


def day_of(data: FormData | Mapping[str, Any], name: str, *, after: int = 0) -> datetime | None:
    """Return the first moment (UTC) of a day of the city, `after` days later; None where it is empty.

    Raises `InvalidInput` ("bad_time").
    """
    text = text_of(data, name)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _bad_time(name, text, "day such as 2026-11-21") from None
    if day.year not in _YEARS:
        raise _bad_time(name, text, "day of this century")
    return datetime.combine(day + timedelta(days=after), time(), SHANGHAI).astimezone(UTC)


def date_of(data: FormData | Mapping[str, Any], name: str) -> date:
    """Return a field as a day. Raises `InvalidInput` ("bad_time") where it is none, or empty."""
    text = text_of(data, name)
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        raise _bad_time(name, text or "", "day such as 2026-11-21") from None
    if day.year not in _YEARS:
        raise _bad_time(name, text or "", "day of this century")
    return day


_YEARS = range(2000, 2100)  # far enough from the ends of the calendar to count days from


def _bad_time(name: str, text: str, wanted: str) -> InvalidInput:
    return InvalidInput("bad_time", f"{name} is not a {wanted}", field=name, got=text[:40])


def own_path(text: str | None, default: str = "/home") -> str:
    """Return a path on our own host, else the default: nobody is sent away by what an address says."""
    if text is None or not text.startswith("/") or text[1:2] in ("/", "\\"):
        return default
    return default if any(ord(char) <= 32 or char == "\\" or ord(char) == 127 for char in text) else text
