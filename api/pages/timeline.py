"""The history of a case as people read it: who did what when, from which state to which, with the facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.i18n import Words
from api.names import Names
from grids.rules.disputes import Body
from grids.rules.permissions import Role
from grids.tables import Trace

__all__ = ["Step", "before_of", "fact_msgids", "limit_words", "steps"]

_ACTOR = re.compile(r"(?P<name>.*) \((?P<role>[a-z_]+)\)", re.DOTALL)
_STATES = {
    "incident": "status",
    "whistle": "whistle_status",
    "task": "task_status",
    "dispute": "dispute_status",
}


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


def before_of(query: Mapping[str, str]) -> int | None:
    """Return the step before which older ones are asked for, None where nobody asks (or for no number)."""
    asked = query.get("before", "")
    return int(asked) if asked.isdecimal() and len(asked) < 10 else None


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


def _words(kind: str) -> _Writer:
    def write(value: Any, names: Names, _district: str) -> str:
        return names.words.listed(names.words.of(kind, one) for one in value)

    return write


def _department(value: Any, names: Names, district: str) -> str:
    return names.department(district, str(value))


def _unit(value: Any, names: Names, district: str) -> str:
    """Return a unit that a slip is for: a department by its code, or a place."""
    return names.area(str(value)) if str(value).isdigit() else names.department(district, str(value))


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


def _without(value: Any, names: Names, _district: str) -> str:
    return names.words.listed(
        names.words.noted(names.words.of("evidence", name), str(reason)) for name, reason in value.items()
    )


def _listed(value: Any, names: Names, _district: str) -> str:
    return names.words.listed(str(item) for item in value)


def _responsible(value: Any, names: Names, district: str) -> str:
    return _departments(value.get("departments") or [], names, district)


def _limits(value: Any, names: Names, _district: str) -> str:
    return names.words.listed(limit_words(limit, names.words) for limit in value.get("handle") or [])


def limit_words(limit: Mapping[str, Any], words: Words) -> str:
    """Return a limit as a case keeps it, {"value": 4, "unit": "work_hour"}, in words."""
    return f"{limit.get('value')} {words.of('unit', limit.get('unit'))}"


def _party(value: Any, names: Names, district: str) -> str:
    """Return who speaks in a dispute: a department, the town, or a body that has no department."""
    bodies = {body.value for body in Body}
    return (
        names.words.of("dispute_body", value) if value in bodies else names.department(district, str(value))
    )


def _parties(value: Any, names: Names, district: str) -> str:
    return names.words.listed(_party(one, names, district) for one in value)


def _rests_on(value: Any, names: Names, _district: str) -> str:
    words = names.words
    return words.listed(words.noted(one["text"], words.of("ground", one["kind"])) for one in value)


def _metres(value: Any, names: Names, _district: str) -> str:
    return names.words("{metres} m", metres=value)


def _minutes(value: Any, names: Names, _district: str) -> str:
    return names.words.duration(float(value))


# what the history holds -> how it is written; hashes, ids and coordinates are for machines and stay out
_WRITERS: Mapping[str, _Writer] = {
    "channel": _word("channel"),
    "category": lambda value, names, _: names.category(str(value)),
    "before": _word("grade"),
    "grade": _word("grade"),
    "raised": _words("raise_reason"),
    "found": _word("inspection"),
    "how": _word("verified_how"),
    "rejected_for": _word("reject_reason"),
    "reply": _as_is,
    "master": _as_is,
    "report": _as_is,
    "reporters": _as_is,
    "from": _area,
    "to": _area,
    "grid": _area,
    "placement": _word("placement"),
    "frame": _word("frame"),
    "type": _word("whistle_type"),
    "level": _word("whistle_level"),
    "clock": _word("clock"),
    "dispute": _as_is,
    "matter": _as_is,
    "party": _party,
    "parties": _parties,
    "provisional_lead": _party,
    "view": _party,
    "cooperating": _departments,
    "basis": _word("basis"),
    "rests_on": _rests_on,
    "area": _area,
    "rule_no": _as_is,
    "note": _as_is,
    "department": _department,
    "role": _word("task_role"),
    "departments": _departments,
    "responsible": _responsible,
    "rule": lambda value, names, _: names.words.rule(str(value)),
    "reason": lambda value, names, _: names.words.reason(str(value)),
    "chosen_reason": lambda value, names, _: names.words.reason(str(value)),
    "return_reason": _word("return_reason"),
    "legal_basis": _as_is,
    "suggested": _department,
    "handed_to": _department,
    "heard_by": _as_is,
    "contact": _as_is,
    "liaison": _as_is,
    "office": _as_is,
    "instruction": _as_is,
    "staff": _as_is,
    "arrives_at": _moment,
    "appointed_at": _moment,
    "place": _as_is,
    "method": _word("check_in"),
    "distance_m": _metres,
    "accuracy_m": _metres,
    "minutes_late": _minutes,
    "claimed_at": _moment,
    "presence": _word("presence"),
    "flags": _words("presence_flag"),
    "measures": _as_is,
    "documents": _listed,
    "follow_up": _as_is,
    "reached": _yes_no,
    "solved": _word("solved"),
    "satisfaction": _word("satisfaction"),
    "slip": _word("slip"),
    "slip_cause": _word("slip_cause"),
    "slip_number": _as_is,
    "unit": _unit,
    "town": _as_is,
    "peer": _as_is,
    "system": _as_is,
    "overall": _as_is,
    "mark": _as_is,
    "grounds": _as_is,
    "upheld": _yes_no,
    "because": _word("appraised_because"),
    "response": _as_is,
    "handling": _as_is,
    "result": _as_is,
    "total": _as_is,
    "evidence": _evidence,
    "without": _without,
    "comment": _as_is,
    "limits": _limits,
    "respond_by": _moment,
    "suspension_reason": _word("suspension_reason"),
    "amount": lambda value, names, _: limit_words(value, names.words),
    "until": _moment,
    "citizen_told": _yes_no,
    "plan": _as_is,
    "lead": _department,
    "review_on": _as_is,
    "clock_move": _word("clock_move"),
    "due_before": _moment,
    "due_at": _moment,
    "received_at": _moment,
    "whistle": _as_is,
    "letter": _as_is,
    "round": _as_is,
}


def fact_msgids() -> set[str]:
    """Return the msgids of the headings of all facts that a history can show."""
    return {f"fact.{key}" for key in _WRITERS}
