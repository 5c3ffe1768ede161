"""A limit profile (时限方案): every limit that a district sets for itself, as one value.

Cities differ: one published rule lets a department return a task within two working days, another within one; one
extends once by ten working days, another three times by three. So these are data. A profile is read from a TOML
file or from JSON; what it leaves out stays at our default. A case keeps the profile that it began with.

    code = "shandong"
    name = "..."
    source = "the paper that it follows"
    return_window = "2 work_day"            # a limit: a number and one of the five clocks
    [clocks]                                # the clocks that have a limit of their own
    accept = "4 work_hour"
    community = { ordinary = "1 work_day", urgent = "24 natural_hour" }     # urgent: red and orange cases
    [ceilings]                              # the longest that handling may take in each colour
    red = "24 natural_hour"
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any, NamedTuple

from gis.errors import InvalidInput, NotFound
from grids.rules.deadlines import CHECK_IN_GRACE, RULES, SECOND_HANDLING, DeadlineKind, confirm_limit
from grids.rules.disputes import STAGE_LIMITS, TOTAL, DisputeStatus
from grids.rules.grading import CEILINGS, Grade
from grids.rules.lifecycle import REOPEN_WITHIN
from grids.rules.limits import Limit, Unit
from grids.rules.returns import MOST_HOPS

__all__ = [
    "DEFAULT",
    "FIELDS",
    "SHIPPED",
    "Change",
    "ClockLimit",
    "LimitProfile",
    "compare",
    "from_snapshot",
    "kept_by",
    "parse_profile",
    "read_profile",
    "shipped_profile",
    "shipped_text",
]

URGENT = frozenset({Grade.RED, Grade.ORANGE})
"""The colours for which a clock's urgent limit counts, where it has one."""

SHIPPED = ("default", "shandong", "lueliang", "nanjing")
"""The profiles that come with the product, `grids/data/limits/*.toml`."""


@dataclass(frozen=True, slots=True)
class ClockLimit:
    """How long a clock runs; `urgent` for red and orange cases, where it differs."""

    ordinary: Limit
    urgent: Limit | None = None


@dataclass(frozen=True, slots=True)
class LimitProfile:
    """All limits of a district from a day on. `version` is 0 for one that is not in the database.

    clocks : of the kinds that have a limit of their own. ceilings : of handling, for every colour.
    confirm_emergency : for the main leader's word in an emergency. response_minutes, emergency_response_minutes :
    for a department's answer, where the category names none. appoint_within : how far off the town may appoint the
    meeting, None for as it likes. check_in_grace : after the appointed time.
    return_window : from the issue of a task. most_hops : how often a case is handed on before a joint meeting.
    extension_times, extension_amount : how often, and each time at most how long. suspension_days : the longest of
    one suspension. ledger_days : until the review at the latest. second_handling : of a case that is taken up
    again. reopen_days : after closing, for the reporter. callback_tries, callback_days : calls on different days
    after which somebody counts as unreachable. appeal_window : from the result of an assessment.
    dispute_* : of the steps of a dispute; dispute_total from its filing to the joint meeting's decision.
    progress_share : of a part's limit, at which the first slip is written. long_overdue_hours : lateness that calls
    for a warning, at least (else once the limit again).
    """

    code: str
    name: str
    name_en: str
    source: str
    clocks: Mapping[DeadlineKind, ClockLimit]
    ceilings: Mapping[Grade, Limit]
    confirm_emergency: Limit
    response_minutes: int
    emergency_response_minutes: int
    check_in_grace: timedelta
    return_window: Limit
    most_hops: int
    extension_times: int
    extension_amount: Limit
    suspension_days: int
    ledger_days: int
    second_handling: Limit
    reopen_days: int
    callback_tries: int
    callback_days: int
    appeal_window: Limit
    dispute_negotiation: Limit
    dispute_coordination: Limit
    dispute_total: Limit
    dispute_execution: Limit
    progress_share: Decimal
    long_overdue_hours: int
    appoint_within: Limit | None = field(default=None)
    version: int = field(default=0)

    def limit(self, kind: DeadlineKind, grade: Grade | None) -> Limit:
        """Return how long a clock runs for a case of this grade (None: not graded yet).

        Raises `KeyError` for a clock that is set by the category, the whistle or an act: asking is a mistake.
        """
        clock = self.clocks.get(kind)
        if clock is None:
            raise KeyError(f"the clock '{kind}' has no limit of its own")
        return clock.urgent if clock.urgent is not None and grade in URGENT else clock.ordinary

    def stage(self, status: DisputeStatus) -> Limit:
        """Return how long a stage of a dispute takes, from its beginning. Raises `KeyError` for one without a limit."""
        return {
            DisputeStatus.FILED: self.dispute_negotiation,
            DisputeStatus.COORDINATION: self.dispute_coordination,
            DisputeStatus.EXECUTING: self.dispute_execution,
        }[status]

    def rules(self) -> dict[str, Any]:
        """Return every limit in the form of a file: plain words and numbers, `clocks` and `ceilings` as tables."""
        plain = {name: getattr(self, name) for name in FIELDS}
        found: dict[str, Any] = {name: _written(value) for name, value in plain.items() if value is not None}
        found["clocks"] = {
            kind.value: _written(clock.ordinary)
            if clock.urgent is None
            else {"ordinary": _written(clock.ordinary), "urgent": _written(clock.urgent)}
            for kind, clock in self.clocks.items()
        }
        found["ceilings"] = {grade.value: _written(limit) for grade, limit in self.ceilings.items()}
        return found

    def snapshot(self) -> dict[str, Any]:
        """Return what a case keeps of the profile that it begins with; `from_snapshot` reads it."""
        head = {"code": self.code, "version": self.version, "name": self.name, "name_en": self.name_en}
        return {**head, "rules": self.rules()}

    def seal(self) -> dict[str, Any]:
        """Return what a trace keeps of the profile: its name and the SHA-256 of its limits, in hex."""
        text = _canonical(self.rules())
        return {
            "code": self.code,
            "version": self.version,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }

    def values(self) -> dict[str, str]:
        """Return every single limit as text by its dotted name (`clocks.accept`), in the order of a file."""
        return dict(_flat(self.rules()))


class Change(NamedTuple):
    """One limit in which two profiles differ, as text; None where one of them has no such value."""

    field: str
    before: str | None
    after: str | None


def compare(before: LimitProfile, after: LimitProfile) -> list[Change]:
    """Return the limits in which two profiles differ, in the order of a file."""
    old, new = before.values(), after.values()
    names = list(dict.fromkeys([*old, *new]))
    return [Change(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def parse_profile(data: Mapping[str, Any], *, version: int = 0) -> LimitProfile:
    """Read a profile as a file holds it; what it leaves out is our default.

    Raises `InvalidInput` ("bad_profile") that names the field: an unknown one, a value of the wrong kind or out
    of range, a red ceiling that does not run at night.
    """
    head: dict[str, Any] = {key: _text(data, key) for key in _HEAD}
    unknown = sorted(set(data) - set(_HEAD) - set(FIELDS) - {"clocks", "ceilings"})
    if unknown:
        raise _bad(unknown[0], f"there is no limit '{unknown[0]}'", unknown[0], sorted(FIELDS))
    if not _CODE.fullmatch(head["code"]):
        raise _bad(
            "code",
            f"a code is small letters, digits, - and _, at most 32, got {head['code']!r}",
            head["code"],
            _CODE.pattern,
        )
    plain: dict[str, Any] = {name: _plain_value(name, data[name]) for name in FIELDS if name in data}
    clocks = dict(DEFAULT.clocks)
    for key, value in _table(data, "clocks", [kind.value for kind in clocks]).items():
        clocks[DeadlineKind(key)] = _clock(f"clocks.{key}", value)
    ceilings = dict(DEFAULT.ceilings)
    for key, value in _table(data, "ceilings", [grade.value for grade in Grade]).items():
        ceilings[Grade(key)] = _limit(f"ceilings.{key}", value)
    if ceilings[Grade.RED].unit not in _ALWAYS_RUNS:
        raise _bad(
            "ceilings.red",
            "a red case runs at night too: natural_hour or urgent_hour",
            str(ceilings[Grade.RED]),
            sorted(_ALWAYS_RUNS),
        )
    made = replace(
        DEFAULT,
        **head,
        **plain,
        clocks=MappingProxyType(clocks),
        ceilings=MappingProxyType(ceilings),
        version=version,
    )
    if made.callback_days > made.callback_tries:
        raise _bad(
            "callback_days",
            f"{made.callback_tries} calls cannot fall on {made.callback_days} different days",
            made.callback_days,
            f"1 to {made.callback_tries}",
        )
    return made


def read_profile(content: bytes, name: str) -> LimitProfile:
    """Read a profile from the content of a .toml or .json file; raises as `parse_profile`."""
    try:
        text = content.decode("utf-8-sig")
        data = json.loads(text) if name.lower().endswith(".json") else tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as broken:
        raise _bad(
            "file", f"{name} is neither TOML nor JSON as its name says: {broken}", name, "TOML, JSON"
        ) from broken
    if not isinstance(data, dict):
        raise _bad("file", f"{name} does not hold one table of limits", name)
    return parse_profile(data)


def from_snapshot(kept: Mapping[str, Any]) -> LimitProfile:
    """Return the profile that a case keeps, as `LimitProfile.snapshot` wrote it."""
    return _from_text(_canonical(kept))


def kept_by(limits: Mapping[str, Any] | None) -> LimitProfile:
    """Return the profile in what a case keeps of its limits; the default for a case that keeps none."""
    kept = (limits or {}).get("profile")
    return from_snapshot(kept) if kept else DEFAULT


@lru_cache(maxsize=256)  # the cases of a district share few profiles, and a sweep opens thousands of them
def _from_text(text: str) -> LimitProfile:
    kept = json.loads(text)
    head = {**{key: kept[key] for key in ("code", "name", "name_en")}, "source": "snapshot"}
    # what a newer release added is not ours to judge by: two releases may run side by side for a while
    rules = kept["rules"]
    known = {name: value for name, value in rules.items() if name in (*FIELDS, "ceilings")}
    clocks = {kind: value for kind, value in rules["clocks"].items() if kind in DEFAULT.clocks}
    return parse_profile({**head, **known, "clocks": clocks}, version=int(kept["version"]))


def shipped_text(code: str) -> str:
    """Return the file of a shipped profile, with its comments."""
    if code not in SHIPPED:
        raise NotFound(
            "no_such_profile", f"there is no shipped profile '{code}'; there are {', '.join(SHIPPED)}"
        )
    return resources.files("grids").joinpath(f"data/limits/{code}.toml").read_text("utf-8")


@cache
def shipped_profile(code: str) -> LimitProfile:
    """Return a shipped profile. Raises `NotFound` ("no_such_profile")."""
    return read_profile(shipped_text(code).encode(), f"{code}.toml")


# -- the default, from the tables where the rules stand

_HEAD = ("code", "name", "name_en", "source")
_CODE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_ALWAYS_RUNS = frozenset({Unit.NATURAL_HOUR, Unit.URGENT_HOUR})

DEFAULT = LimitProfile(
    code="default",
    name="缺省方案",
    name_en="Default",
    source="gridwhistle",
    clocks=MappingProxyType(
        {kind: ClockLimit(rule.limit, rule.urgent) for kind, rule in RULES.items() if rule.limit is not None}
    ),
    ceilings=CEILINGS,
    confirm_emergency=confirm_limit(emergency=True),
    response_minutes=60,
    emergency_response_minutes=30,
    check_in_grace=CHECK_IN_GRACE,
    return_window=Limit(1, Unit.WORK_DAY),
    most_hops=MOST_HOPS,
    extension_times=1,
    extension_amount=Limit(10, Unit.WORK_DAY),
    suspension_days=30,
    ledger_days=90,
    second_handling=SECOND_HANDLING,
    reopen_days=REOPEN_WITHIN.days,
    callback_tries=3,
    callback_days=2,
    appeal_window=Limit(5, Unit.WORK_DAY),
    dispute_negotiation=STAGE_LIMITS[DisputeStatus.FILED],
    dispute_coordination=STAGE_LIMITS[DisputeStatus.COORDINATION],
    dispute_total=TOTAL,
    dispute_execution=STAGE_LIMITS[DisputeStatus.EXECUTING],
    progress_share=Decimal("0.75"),
    long_overdue_hours=24,
)
"""What holds where a district has published no profile: published practice where it is known, else ours."""

FIELDS = tuple(
    one.name for one in fields(LimitProfile) if one.name not in (*_HEAD, "clocks", "ceilings", "version")
)
"""The limits that stand by themselves in a file, in its order; clocks and ceilings are tables beside them."""
_RANGES: Mapping[str, tuple[int, int]] = {
    "response_minutes": (1, 7 * 24 * 60),
    "emergency_response_minutes": (1, 7 * 24 * 60),
    "check_in_grace": (0, 24 * 60),
    "most_hops": (0, 9),
    "extension_times": (0, 9),
    "suspension_days": (1, 365),
    "ledger_days": (1, 365),
    "reopen_days": (0, 365),
    "callback_tries": (1, 9),
    "callback_days": (1, 9),
    "long_overdue_hours": (1, 30 * 24),
}


# -- values as a file writes them


def _written(value: Limit | timedelta | Decimal | int) -> str | int:
    if isinstance(value, timedelta):
        return int(value.total_seconds() // 60)
    return value if isinstance(value, int) else str(value)


def _flat(rules: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in rules.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}".removesuffix(".ordinary"), str(value)


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _plain_value(name: str, value: object) -> Limit | timedelta | Decimal | int:
    if name == "progress_share":
        return _share(name, value)
    if name not in _RANGES:
        return _limit(name, value)
    low, high = _RANGES[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _bad(
            name,
            f"{name} is a whole number from {low} to {high}, got {value!r}",
            repr(value),
            f"{low} to {high}",
        )
    return timedelta(minutes=value) if name == "check_in_grace" else value


def _share(name: str, value: object) -> Decimal:
    try:
        share = Decimal(str(value))
    except InvalidOperation:
        share = Decimal("NaN")
    if isinstance(value, bool) or not share.is_finite() or not 0 < share < 1:
        raise _bad(name, f"{name} is a share between 0 and 1, got {value!r}", repr(value), "0 to 1")
    return share


def _limit(name: str, value: object) -> Limit:
    parts = value.split() if isinstance(value, str) else []
    if len(parts) != 2:
        raise _bad(
            name,
            f'{name} is a number and a clock, such as "4 work_hour"; got {value!r}',
            repr(value),
            list(Unit),
        )
    try:
        return Limit(parts[0], parts[1])
    except InvalidInput as wrong:
        raise _bad(name, f"{name}: {wrong.message}", value, list(Unit)) from wrong


def _clock(name: str, value: object) -> ClockLimit:
    if not isinstance(value, Mapping):
        return ClockLimit(_limit(name, value))
    strange = sorted(set(value) - {"ordinary", "urgent"})
    if strange or "ordinary" not in value:
        raise _bad(
            name,
            f"{name} has ordinary and, if they differ, urgent; got {sorted(value)}",
            sorted(value),
            ["ordinary", "urgent"],
        )
    urgent = _limit(f"{name}.urgent", value["urgent"]) if "urgent" in value else None
    return ClockLimit(_limit(f"{name}.ordinary", value["ordinary"]), urgent)


def _table(data: Mapping[str, Any], name: str, known: list[str]) -> Mapping[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, Mapping):
        raise _bad(name, f"{name} is a table, got {table!r}", repr(table))
    strange = [key for key in table if key not in known]
    if strange:
        raise _bad(f"{name}.{strange[0]}", f"{name} has no '{strange[0]}'", strange[0], known)
    return table


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > 500:
        raise _bad(name, f"{name} is a text of 1 to 500 characters, got {value!r}", repr(value)[:80])
    return value.strip()


def _bad(name: str, message: str, got: object = None, wanted: object = None) -> InvalidInput:
    facts = {"got": got, "wanted": wanted}
    return InvalidInput(
        "bad_profile", message, field=name, **{key: said for key, said in facts.items() if said is not None}
    )
