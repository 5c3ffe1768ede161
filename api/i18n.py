"""The words of the interface: codes and English sentences in, the reader's language out.

Catalogues are gettext .po files under api/locales, compiled in memory when they are first asked for, so that
nothing compiled is kept beside its source. A msgid is either an English sentence, as templates write it, or a
code: `grade.red`, `action.task.check_in`, `message.whistle.first`, `problem.bad_phone`. Simplified Chinese is
the language of the house; English is complete.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, IntEnum
from functools import cache
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Any, Protocol

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from api.problems import FAMILIES, problem_of
from gis.crs import Frame
from gis.errors import CityError
from gis.faults import FaultKind, Severity
from gis.lineage import ChangeKind
from grids.ground.redraw import OperationKind
from grids.measures import Figure, HotspotMetric, Rate, ResponseMetric, TimeKind
from grids.rules.assessment import AppraisedBecause, PenaltyKind
from grids.rules.categories import shipped_categories
from grids.rules.curing import WaitsFor
from grids.rules.deadlines import DeadlineKind
from grids.rules.departments import StationKind
from grids.rules.disputes import DISPUTE, Body, DisputeStatus, DisputeStepKind, GroundKind
from grids.rules.dutylists import CELLS
from grids.rules.explanation import BECAUSE, What
from grids.rules.grading import Grade, RaiseReason
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import INCIDENT, Channel, IncidentStatus, Inspection, RejectReason, VerifiedHow
from grids.rules.limits import Unit
from grids.rules.messages import DeliveryStatus, Way
from grids.rules.pauses import ClockMove, Decision, SuspensionReason
from grids.rules.permissions import Role
from grids.rules.places import PLACE, FoundHow, PhotoSide, PlaceKind, PlaceStatus
from grids.rules.presence import Presence, PresenceFlag, Witness
from grids.rules.profiles import FIELDS
from grids.rules.responsibilities import RuleKind
from grids.rules.returns import ReturnReason
from grids.rules.roster import Weekday
from grids.rules.slips import SlipCause, SlipKind
from grids.rules.tasks import TASK, CheckInMethod, TaskRole, TaskStatus
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleStatus, WhistleType
from grids.tables import DraftStatus, DutyBasis, EditionStatus, OpenCases, Placement, Solved
from maps import Words as MapWords

__all__ = [
    "COOKIE",
    "DEFAULT",
    "KINDS",
    "LANGUAGES",
    "Named",
    "Satisfaction",
    "Words",
    "catalogue",
    "code_msgids",
    "language_of",
    "words_in",
]

DEFAULT = "zh-CN"
COOKIE = "lang"
LANGUAGES: Mapping[str, str] = MappingProxyType({"zh-CN": "zh_CN", "en": "en"})
"""BCP 47 tag -> folder of its catalogue."""

LOCALES = Path(__file__).resolve().parent / "locales"


class Satisfaction(IntEnum):
    """How satisfied a reporter is, five best: the five levels that public services are rated by."""

    VERY = 5
    QUITE = 4
    FAIRLY = 3
    LITTLE = 2
    NOT = 1


KINDS: Mapping[str, type[Enum]] = MappingProxyType(
    {
        "appraised_because": AppraisedBecause,
        "basis": DutyBasis,
        "change": ChangeKind,
        "channel": Channel,
        "check_in": CheckInMethod,
        "clock": DeadlineKind,
        "clock_move": ClockMove,
        "decision": Decision,
        "definition": Figure,
        "delivery_status": DeliveryStatus,
        "dispute_body": Body,
        "dispute_status": DisputeStatus,
        "dispute_step": DisputeStepKind,
        "draft_status": DraftStatus,
        "edition_status": EditionStatus,
        "fault": FaultKind,
        "found_how": FoundHow,
        "frame": Frame,
        "grade": Grade,
        "ground": GroundKind,
        "hotspot": HotspotMetric,
        "inspection": Inspection,
        "level": GridLevel,
        "open_cases": OpenCases,
        "operation": OperationKind,
        "penalty": PenaltyKind,
        "photo_side": PhotoSide,
        "place_kind": PlaceKind,
        "place_sign": PlaceKind,
        "place_status": PlaceStatus,
        "placement": Placement,
        "presence": Presence,
        "presence_flag": PresenceFlag,
        "raise_reason": RaiseReason,
        "rate": Rate,
        "reject_reason": RejectReason,
        "response": ResponseMetric,
        "return_reason": ReturnReason,
        "role": Role,
        "rule_kind": RuleKind,
        "severity": Severity,
        "satisfaction": Satisfaction,
        "slip": SlipKind,
        "slip_cause": SlipCause,
        "solved": Solved,
        "station": StationKind,
        "status": IncidentStatus,
        "suspension_reason": SuspensionReason,
        "task_role": TaskRole,
        "task_status": TaskStatus,
        "time_kind": TimeKind,
        "unit": Unit,
        "verified_how": VerifiedHow,
        "waits_for": WaitsFor,
        "way": Way,
        "weekday": Weekday,
        "what": What,
        "whistle_level": WhistleLevel,
        "whistle_status": WhistleStatus,
        "whistle_type": WhistleType,
        "witness": Witness,
    }
)
"""Prefix of a msgid -> the codes that stand behind it: every member of each has words in both languages."""

# reasons that the system gives itself; what people write is shown as they wrote it
_REASONS = frozenset(
    {
        "beyond_the_town",
        "callback",
        "cancelled",
        "empty_post",
        "merged",
        "no_answer_in_time",
        "return_too_late",
        "to_the_meeting",
        "window_over",
    }
)
# facts of messages that are codes, and the kind of each
_FACT_KINDS = {"before": "grade", "clock": "clock", "found": "inspection", "grade": "grade"}
_RULE = re.compile(
    r"responsibility (?P<id>\d+)(?: \((?P<kind>[a-z_]+)(?: (?P<name>.+))?\))?"
    r" for (?:area (?P<area>\d+)|the whole list) since (?P<since>\S+)",
    re.DOTALL,
)


class Named(Protocol):
    """What carries a name in both languages: a category or a department."""

    name: Any
    name_en: Any


@dataclass(frozen=True)
class Words(MapWords):
    """The words of one language: a `maps.Words`, so that maps take it as it is, and the codes of the city."""

    def of(self, kind: str, code: Enum | str | int | None) -> str:
        """Return the words of a code of one of `KINDS`, "" for None; a code without words stays a code."""
        if code is None:
            return ""
        plain = str(code.value if isinstance(code, Enum) else code)
        msgid = f"{kind}.{plain}"
        found = self(msgid)
        return plain if found == msgid else found

    def options(self, kind: str) -> list[tuple[str, str]]:
        """Return (code, words) of all codes of one of `KINDS`, in their own order."""
        return [(str(member.value), self.of(kind, member)) for member in KINDS[kind]]

    def action(self, machine: str, action: str) -> str:
        """Return what an act on an incident, a whistle or a task is called."""
        return self.of(f"action.{machine}", action)

    def name(self, thing: Named | None) -> str:
        """Return the name of a category or a department in this language, "" for None."""
        if thing is None:
            return ""
        return str(thing.name if self.language == DEFAULT else thing.name_en)

    def evidence(self, shown: Iterable[str]) -> str:
        """Return what completion shows: in words where a category asks for it, else as somebody wrote it."""
        return self.listed(self.of("evidence", name) for name in shown)

    def listed(self, parts: Iterable[str]) -> str:
        """Return words one after the other, with the comma of the language."""
        return self("list.comma").join(parts)

    def noted(self, name: str, note: str) -> str:
        """Return a name with a note in brackets."""
        return self("{name} ({note})", name=name, note=note)

    def reason(self, said: str | None) -> str:
        """Return a reason: in words where the system gave a code, else as a person wrote it."""
        return self(f"reason.{said}") if said in _REASONS else said or ""

    def answer(
        self, department: str, arrives_at: datetime | None, staff: str | None, phone: str | None
    ) -> str:
        """Return a department's answer as a sentence: that it comes, when, who, and how to reach them."""
        return self(
            "{department} replies: our unit will report on time at {time}. Staff: {name}, telephone {phone}.",
            department=department,
            time=self.moment(arrives_at) if arrives_at else "—",
            name=staff or "—",
            phone=phone or "—",
        )

    def rule(self, text: str | None) -> str:
        """Return the rule by which somebody is responsible, as the case keeps it, in words."""
        found = _RULE.fullmatch(text or "")
        if text == "chosen by the town":
            return self("Chosen by the town.")
        if found is None:
            return self("The responsibility list names nobody here: a person decides.") if text else ""
        facts = {"id": found["id"], "day": found["since"]}
        if found["area"]:
            said = self(
                "Rule {id} of the responsibility list, for area {area}, since {day}",
                area=found["area"],
                **facts,
            )
        else:
            said = self("Rule {id} of the responsibility list, since {day}", **facts)
        if found["kind"] is None:
            return said
        kind = self.of("rule_kind", found["kind"])
        return self(
            "{kind}: {name}", kind=self.noted(kind, found["name"]) if found["name"] else kind, name=said
        )

    def because(self, what: What, reason: str, facts: Mapping[str, str]) -> str:
        """Return the sentence of one choice of an explain record, with its facts in place."""
        return _filled(self.of(f"because.{what}", reason), facts)

    def message(self, template: str, facts: Mapping[str, Any]) -> str:
        """Return a message's sentence with its facts in place; a fact that is missing is left empty."""
        sentence = self.of("message", template)
        shown = {key: self._fact(key, value) for key, value in facts.items()}
        if self.language != DEFAULT:  # names that the sender knew in both languages
            shown |= {key: shown[f"{key}_en"] for key in facts if f"{key}_en" in facts}
        if "staff" in facts:  # a department's answer
            department = facts.get("department" if self.language == DEFAULT else "department_en")
            at = facts.get("arrives_at")
            arrives_at = datetime.fromisoformat(str(at)) if at else None
            shown["answer"] = self.answer(str(department), arrives_at, facts["staff"], facts.get("phone"))
        return _filled(sentence, shown)

    def _fact(self, key: str, value: Any) -> str:
        if value is None:
            return ""
        if key == "reason":
            return self.reason(str(value))
        if key in _FACT_KINDS:
            return self.of(_FACT_KINDS[key], value)
        if key.endswith("_at"):
            return self.moment(datetime.fromisoformat(str(value)))
        return str(value)

    def trouble(self, code: str) -> str:
        """Return why a clock could not fire, by the code of the error; the code itself where it has no words."""
        msgid = f"problem.{code}"
        found = self(msgid)
        return code if found == msgid else _filled(found, {})

    def problem(self, error: CityError) -> str:
        """Return a sentence that says what is wrong and what to do; that of its status where it has none."""
        msgid = f"problem.{error.code}"
        found = self(msgid)
        if found == msgid:
            found = self(f"problem.{problem_of(error).status}")
        return _filled(found, {key: _shown(value) for key, value in error.facts.items()})


def _filled(sentence: str, facts: Mapping[str, str]) -> str:
    """Fill the named places of a sentence; one that has no fact stays empty instead of failing."""
    names = [name for _, name, _, _ in Formatter().parse(sentence) if name]
    return sentence.format(**{name: facts.get(name, "") for name in names}) if names else sentence


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)


def language_of(asked: str | None, kept: str | None) -> str:
    """Return the language of a request: what its address asks for, else what its cookie keeps, else Chinese."""
    return next((tag for tag in (asked, kept) if tag in LANGUAGES), None) or DEFAULT


@cache
def words_in(language: str) -> Words:
    """Return the words of a language of `LANGUAGES`. Raises `KeyError` for another."""
    return Words(language, _translations(LANGUAGES[language]).gettext)


@cache
def _translations(folder: str) -> gettext.GNUTranslations:
    compiled = io.BytesIO()
    with (LOCALES / folder / "LC_MESSAGES" / "gridwhistle.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=folder))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def catalogue(language: str) -> dict[str, str]:
    """Return msgid -> words of a language, as its .po file has them."""
    path = LOCALES / LANGUAGES[language] / "LC_MESSAGES" / "gridwhistle.po"
    with path.open("rb") as source:
        return {str(entry.id): str(entry.string) for entry in read_po(source) if entry.id}


def code_msgids() -> set[str]:
    """Return every msgid that stands for a code: enums, acts of the state tables, evidence, reasons, statuses."""
    found = {f"{kind}.{member.value}" for kind, members in KINDS.items() for member in members}
    for machine in (INCIDENT, WHISTLE, TASK, DISPUTE, PLACE):
        found |= {f"action.{machine.name}.{row.action}" for row in machine.transitions}
    found |= {f"evidence.{name}" for category in shipped_categories() for name in category.evidence}
    found |= {f"reason.{reason}" for reason in _REASONS}
    found |= {f"because.{what}.{reason}" for what, reasons in BECAUSE.items() for reason in reasons}
    found |= {f"limit.{name}" for name in FIELDS}
    found |= {f"duty_column.{name}" for name in CELLS}
    found |= {"clock_from.accept", "clock_from.regrade", "clock_from.report"}
    found |= {f"problem.{status}" for status, _ in FAMILIES.values()}
    noted = (
        "appraised",
        "clock_moved",
        "clock_ran_out",
        "follow",
        "joined",
        "no_show",
        "slip",
        "slip_answered",
    )  # steps that change no state
    return found | {f"action.incident.{step}" for step in noted} | {"list.comma"}
