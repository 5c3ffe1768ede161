"""The history of a case as people read it: who did what when, from which state to which, with the facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.i18n import Words
from api.pages.names import Names
from grids.rules.permissions import Role
from grids.tables import Trace

__all__ = ["Step", "fact_msgids", "limit_words", "steps"]

_ACTOR = re.compile(r"(?P<name>.*) \((?P<role>[a-z_]+)\)", re.DOTALL)
_STATES = {"incident": "status", "whistle": "whistle_status", "task": "task_status"}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the history. `by_system` for what followed by itself; facts are (heading, text) pairs."""

    seq: int
    at: datetime
    who: str
    unit: str
    by_system: bool
    subject: str
    act: str
    before: str
    after: str
    facts: tuple[tuple[str, str], ...]


def steps(trace: Sequence[Trace], names: Names, district: str) -> list[Step]:
    """Return the rows of a history in words; `district` is where department codes are looked up."""
    return [_step(row, names, district) for row in trace]


def _step(row: Trace, names: Names, district: str) -> Step:
    words = names.words
    found = _ACTOR.fullmatch(row.actor)
    system = row.actor_id is None
    role = words.of("role", found["role"]) if found else ""
    who = words.of("role", Role.SYSTEM) if system or found is None else f"{found['name']} · {role}"
    kind = _STATES.get(row.machine, "status")
    return Step(
        seq=row.seq,
        at=row.at,
        who=who,
        unit=row.unit,
        by_system=system,
        subject=row.subject,
        act=words.action(row.machine, row.action),
        before=words.of(kind, row.from_state),
        after=words.of(kind, row.to_state) if row.to_state != row.from_state else "",
        facts=tuple(_facts(row.payload, names, district)),
    )


def _facts(payload: Mapping[str, Any], names: Names, district: str) -> list[tuple[str, str]]:
    shown = []
    for key, write in _WRITERS.items():
        value = payload.get(key)
        if value in (None, "", 0, [], {}):
            continue
        text = write(value, names, district)
        if text:
            shown.append((names.words(f"fact.{key}"), text))
    return shown


_Writer = Callable[[Any, Names, str], str]


def _as_is(value: Any, _names: Names, _district: str) -> str:
    return str(value)


def _moment(value: Any, names: Names, _district: str) -> str:
    return names.words.moment(datetime.fromisoformat(str(value)))


def _yes_no(value: Any, names: Names, _district: str) -> str:
    return names.words("Yes") if value in (True, "True", "true") else names.words("No")


def _area(value: Any, names: Names, _district: str) -> str:
    return names.place(str(value))


def _word(kind: str) -> _Writer:
    def write(value: Any, names: Names, _district: str) -> str:
        return names.words.of(kind, value)

    return write


def _department(value: Any, names: Names, district: str) -> str:
    return names.department(district, str(value))


def _departments(value: Any, names: Names, district: str) -> str:
    listed = []
    for item in value:
        if isinstance(item, Mapping):
            role = names.words.of("task_role", item.get("role"))
            listed.append(names.words.noted(names.department(district, str(item.get("code"))), role))
        else:
            listed.append(names.department(district, str(item)))
    return names.words.listed(listed)


def _evidence(value: Any, names: Names, _district: str) -> str:
    return names.words.evidence(str(item) for item in value)


def _responsible(value: Any, names: Names, district: str) -> str:
    return _departments(value.get("departments") or [], names, district)


def _limits(value: Any, names: Names, _district: str) -> str:
    return names.words.listed(limit_words(limit, names.words) for limit in value.get("handle") or [])


def limit_words(limit: Mapping[str, Any], words: Words) -> str:
    """Return a limit as a case keeps it, {"value": 4, "unit": "work_hour"}, in words."""
    return f"{limit.get('value')} {words.of('unit', limit.get('unit'))}"


def _metres(value: Any, names: Names, _district: str) -> str:
    return names.words("{metres} m", metres=value)


def _minutes(value: Any, names: Names, _district: str) -> str:
    return names.words.duration(float(value))


# what the history holds -> how it is written; hashes, ids and coordinates are for machines and stay out
_WRITERS: Mapping[str, _Writer] = {
    "channel": _word("channel"),
    "category": lambda value, names, _: names.category(str(value)),
    "grade": _word("grade"),
    "from": _area,
    "to": _area,
    "grid": _area,
    "placement": _word("placement"),
    "frame": _word("frame"),
    "type": _word("whistle_type"),
    "level": _word("whistle_level"),
    "clock": _word("clock"),
    "department": _department,
    "role": _word("task_role"),
    "departments": _departments,
    "responsible": _responsible,
    "rule": lambda value, names, _: names.words.rule(str(value)),
    "reason": lambda value, names, _: names.words.reason(str(value)),
    "liaison": _as_is,
    "office": _as_is,
    "instruction": _as_is,
    "staff": _as_is,
    "arrives_at": _moment,
    "appointed_at": _moment,
    "place": _as_is,
    "method": _word("check_in"),
    "distance_m": _metres,
    "minutes_late": _minutes,
    "reached": _yes_no,
    "solved": _word("solved"),
    "satisfaction": _word("satisfaction"),
    "response": _as_is,
    "handling": _as_is,
    "result": _as_is,
    "total": _as_is,
    "evidence": _evidence,
    "comment": _as_is,
    "limits": _limits,
    "respond_by": _moment,
    "due_at": _moment,
    "whistle": _as_is,
    "letter": _as_is,
    "round": _as_is,
}


def fact_msgids() -> set[str]:
    """Return the msgids of the headings of all facts that a history can show."""
    return {f"fact.{key}" for key in _WRITERS}
