"""Why a case went as it did, in sentences: its explain record as people read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from api.names import Names
from api.pages.timeline import limit_words
from grids.rules.explanation import What
from grids.tables import DutyBasis

__all__ = ["Choice", "choices"]

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: what it was about, the sentence that says what was chosen and why, and what else is known.

    facts : (heading, text) pairs.
    """

    what: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    at: datetime


def choices(record: Iterable[Mapping[str, Any]], names: Names, district: str) -> list[Choice]:
    """Return the entries of an explain record in words; `district` is where department codes are looked up."""
    return [_choice(one, names, district) for one in record]


def _choice(one: Mapping[str, Any], names: Names, district: str) -> Choice:
    what, because, facts = What(one["what"]), one["because"], one["facts"]
    places = _PLACES[what](one["chose"], facts, names, district) | _by(facts, names)
    return Choice(
        what=names.words.of("what", what),
        sentence=names.words.because(what, because, places),
        facts=tuple(_more(what, facts, names)),
        at=datetime.fromisoformat(one["at"]),
    )


# -- what stands in the sentence


def _by(facts: Facts, names: Names) -> dict[str, str]:
    if "by" not in facts:
        return {}
    return {"by": names.words.noted(facts["by"], names.words.of("role", facts["role"]))}


def _cell(chose: Any, facts: Facts, names: Names, _district: str) -> dict[str, str]:
    metres = facts.get("border_m")
    return {
        "place": names.place(chose) if chose else "",
        "metres": str(round(float(metres))) if metres is not None else "?",
        "edition": facts.get("edition_name") or "",
    }


def _category(chose: Any, _facts: Facts, names: Names, _district: str) -> dict[str, str]:
    return {"category": names.category(chose)}


def _grade(chose: Any, facts: Facts, names: Names, _district: str) -> dict[str, str]:
    words = names.words
    return {
        "grade": words.of("grade", chose),
        "default": words.of("grade", facts.get("default")),
        "before": words.of("grade", facts.get("before")),
        "reasons": words.listed(words.of("raise_reason", one) for one in facts.get("reasons", ())),
    }


def _due(chose: Any, facts: Facts, names: Names, _district: str) -> dict[str, str]:
    words = names.words
    return {
        "due": words.moment(datetime.fromisoformat(chose)),
        "limit": limit_words(facts["limit"], words) if "limit" in facts else "",
        "letter": facts.get("letter", ""),
    }


def _people(chose: Any, facts: Facts, names: Names, _district: str) -> dict[str, str]:
    words = names.words
    empty = words.listed(
        words.noted(words.of("role", post["role"]), names.area(post["area"]))
        for post in facts.get("empty", ())
    )
    return {"count": str(len(chose)), "empty": empty}


def _departments(chose: Any, facts: Facts, names: Names, district: str) -> dict[str, str]:
    return {
        "departments": names.words.listed(names.department(district, code) for code in chose),
        "rule": str(facts.get("rule", "")),
        "name": facts.get("name") or "",
    }


def _whistle(chose: Any, facts: Facts, names: Names, _district: str) -> dict[str, str]:
    return {"level": names.words.of("whistle_level", chose), "round": str(facts.get("round", ""))}


def _dispute(chose: Any, facts: Facts, names: Names, district: str) -> dict[str, str]:
    parties = names.words.listed(names.department(district, code) for code in facts.get("parties", ()))
    return {
        "lead": names.department(district, chose),
        "dispute": str(facts["dispute"]),
        "parties": parties,
        "rule": str(facts.get("rule", "")),
    }


_PLACES: Mapping[What, Callable[[Any, Facts, Names, str], dict[str, str]]] = {
    What.CELL: _cell,
    What.CATEGORY: _category,
    What.GRADE: _grade,
    What.DUE: _due,
    What.PEOPLE: _people,
    What.DEPARTMENTS: _departments,
    What.WHISTLE: _whistle,
    What.DISPUTE: _dispute,
}


# -- what stands below it


def _more(what: What, facts: Facts, names: Names) -> Iterable[tuple[str, str]]:
    words = names.words
    if what is What.CELL:
        yield from _of_the_point(facts, names)
    if what is What.DUE and "before" in facts:
        yield words("Due before"), words.moment(datetime.fromisoformat(facts["before"]))
    if "stood_since" in facts:
        yield words("Stood still since"), words.moment(datetime.fromisoformat(facts["stood_since"]))
    if "other" in facts:
        ends = words.moment(datetime.fromisoformat(facts["other_due"]))
        yield words("The other limit"), words.noted(limit_words(facts["other"], words), ends)
    if "clock_from" in facts:
        yield words("Counted from"), words.of("clock_from", facts["clock_from"])
    if "days_off" in facts:
        yield words("Days off passed over"), str(facts["days_off"])
    if "source" in facts and facts["basis"] != DutyBasis.DEFAULT:
        yield words("Basis"), words.noted(words.of("basis", facts["basis"]), facts["source"])
    if "since" in facts:
        since = date.fromisoformat(facts["since"]).isoformat()
        area = facts.get("area")
        yield words("In force since"), words.noted(since, names.place(area)) if area else since
    yield from _beside_the_rule(facts, names)
    if "whistle" in facts:
        yield words("For the whistle"), facts["whistle"]
    if "reason" in facts:
        yield words("Reason"), facts["reason"]


def _beside_the_rule(facts: Facts, names: Names) -> Iterable[tuple[str, str]]:
    words = names.words
    if "gave_way" in facts:
        yield words("Rules that gave way"), words.listed(str(one["rule"]) for one in facts["gave_way"])
    if "powers" in facts:
        held = (words.noted(f"{one['no']} {one['name']}", one["since"]) for one in facts["powers"])
        yield words("The town could act itself by"), words.listed(held)


def _of_the_point(facts: Facts, names: Names) -> Iterable[tuple[str, str]]:
    words = names.words
    if "candidates" in facts:
        yield words("May lie in"), "\n".join(_candidate(one, names) for one in facts["candidates"])
    if "lon" in facts:
        given = f"{facts['lon']}, {facts['lat']} {words.of('frame', facts['frame'])}"
        accuracy = facts.get("accuracy_m")
        yield words("As given"), f"{given} ±{round(float(accuracy))} m" if accuracy else given
    if "edition" in facts:
        yield words("Grid edition"), words.noted(str(facts["edition"]), facts.get("edition_name") or "—")


def _candidate(one: Facts, names: Names) -> str:
    text = f"{names.place(one['code'])} {round(float(one['share']) * 100)}\u00a0%"
    metres = round(float(one["m"]))
    return f"{text} · {names.words('{metres} m away', metres=metres)}" if metres else text
