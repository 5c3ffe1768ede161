"""One made-up case as the use cases would have written it: rows of all tables, legal by the state tables.

A year of cases through the use cases themselves would take an hour. So a chronicle does in memory what
`grids.acts` (`case`, `incidents`, `intake`, `callbacks`, `ladder`, `joint`, `presence`, `tasks`, `together`, `scores`,
`slips`) do in the database, act by act and with the same names: states only change as the machines allow and to those
whom they allow, clocks start, stop and run out, and every step joins the hash chain. The messages are left out: nobody
wants a year of them in the inbox. So is what happens to few cases in a year and is shown by the stories, which run
through the use cases: suspensions and the ledger, returns, more time, disputes, denied presence, remote work, appeals,
marks of the lead, parts that are sent back, reminders by hand, and emergencies confirmed by telephone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from gis.errors import CityError
from grids.demo.bodies import Body, Duties
from grids.demo.copying import Sheets
from grids.demo.people import Staff
from grids.rules import explanation
from grids.rules.calendar import SHANGHAI, WorkCalendar, local_day
from grids.rules.categories import CategoryRule
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.grading import Circumstances, raise_grade, reasons_to_raise
from grids.rules.lifecycle import INCIDENT
from grids.rules.limits import Limit, Unit, due
from grids.rules.machine import Machine, Step
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.presence import Presence
from grids.rules.profiles import DEFAULT
from grids.rules.tasks import TASK
from grids.rules.trace import chain_hash, rendered
from grids.rules.whistles import WHISTLE, WhistleStatus
from grids.tables import Deadline, Trace, Whistle

__all__ = ["Book", "Chronicle", "Thing", "maker"]

_SWEEP = timedelta(seconds=3)  # how long after a due moment the sweeper comes round

_MACHINES: dict[str, Machine[Any]] = {m.name: m for m in (INCIDENT, WHISTLE, TASK)}


@cache
def _step(machine: str, state: str | None, action: str, role: Role, level: int | None) -> Step[Any]:
    """Return what an act does; a history that the tables do not allow is a mistake of ours."""
    try:
        return _MACHINES[machine].decide(state, action, role, level=level)
    except CityError as refused:
        raise ValueError(f"{machine}: a {role} may not {action} from {state}") from refused


@dataclass
class Book:
    """What all chronicles of a district share: its people and rules, numbers and ids, the sheets to fill.

    supervise : issues the slip that a clock leads to which ran out. numbers : the last number of each series.
    ids : fresh ids by table name.
    """

    calendar: WorkCalendar
    staff: Staff
    duties: Duties
    bodies: Mapping[tuple[str, str], Body]
    sheets: Sheets
    ids: Mapping[str, Iterator[int]]
    supervise: Callable[[Chronicle, dict[str, Any], Thing | None, Thing | None], None]
    numbers: dict[str, int] = field(default_factory=dict)
    _days: dict[tuple[Limit, date], datetime] = field(default_factory=dict)

    def next_number(self, series: str) -> int:
        """Return the next number of a series, from 1."""
        self.numbers[series] = self.numbers.get(series, 0) + 1
        return self.numbers[series]

    def due(self, start: datetime, limit: Limit) -> datetime:
        """Return when a limit runs out; working days end at one moment whenever in the day they start."""
        if limit.unit is not Unit.WORK_DAY:
            return due(start, limit, self.calendar)
        key = (limit, local_day(start))
        if key not in self._days:
            self._days[key] = due(start, limit, self.calendar)
        return self._days[key]


@dataclass(eq=False)
class Thing:
    """An incident, a whistle or a task in the making: its row and the machine that it follows."""

    machine: str
    subject: str
    row: dict[str, Any]
    level: int | None = None
    body: Body | None = None

    @property
    def status(self) -> Any:
        """Where it stands."""
        return self.row["status"]


class Chronicle:
    """One case from its report on. `now` only goes forward; clocks that run out on the way do what they do."""

    def __init__(
        self,
        book: Book,
        category: CategoryRule,
        incident: dict[str, Any],
        point: tuple[float, float],
        times: int = 1,
    ) -> None:
        """incident : its row as the report makes it. point : longitude and latitude of the place. times : how often
        the category came to this place in 30 days, this time included.
        """
        self.worse = reasons_to_raise(Circumstances(times_in_30_days=times))
        self.grade = raise_grade(category.grade, self.worse)
        self.book = book
        self.category = category
        self.point = point
        self.now: datetime = incident["received_at"]
        self.incident = Thing(INCIDENT.name, incident["number"], incident)
        self.first: Thing | None = None
        self.second: Thing | None = None
        self.third: Thing | None = None
        self.tasks: list[Thing] = []
        self.action: dict[str, Any] | None = None  # the row of the joint action
        self.slips: list[dict[str, Any]] = []
        self.handle_limit: Limit | None = None  # of the handling clock of this round
        self._seq = 0
        self._hash: bytes | None = None
        self._clocks: list[dict[str, Any]] = []
        self._steps: dict[str, dict[tuple[str, str | None], list[int]]] = {}

    @property
    def cell(self) -> str:
        """Return the code of the cell."""
        return str(self.incident.row["grid_code"])

    @property
    def due_at(self) -> datetime:
        """Return until when the case has to be handled."""
        moment: datetime = self.incident.row["due_at"]
        return moment

    def advance(self, to: datetime) -> None:
        """Let time pass; what is due on the way fires, as the sweeper would have fired it."""
        while self._clocks:
            clock = min(self._clocks, key=lambda running: running["due_at"])
            fires = max(clock["due_at"], clock["started_at"], self.now) + _SWEEP
            if fires >= to:
                break
            self.now = fires
            self._fire(clock)
        self.now = max(self.now, to)

    # -- steps

    def move(self, thing: Thing, action: str, by: Actor, payload: Mapping[str, Any] | None = None) -> None:
        """Take a thing to its next state and write it down."""
        before = thing.status
        step = _step(thing.machine, before, action, by.role, thing.level)
        thing.row["status"] = step.target
        self._write(thing.machine, thing.subject, step.row, action, before, step.target, payload or {}, by)

    def begun(self, thing: Thing, action: str, by: Actor, payload: Mapping[str, Any] | None = None) -> None:
        """Write down that a thing was made in its first state."""
        step = _step(thing.machine, None, action, by.role, thing.level)
        self._write(thing.machine, thing.subject, step.row, action, None, thing.status, payload or {}, by)

    def _write(
        self,
        machine: str,
        subject: str,
        row: str,
        action: str,
        before: str | None,
        after: str,
        payload: Mapping[str, Any],
        by: Actor,
    ) -> None:
        self._seq += 1
        letter = payload.get("letter") or (subject if machine == TASK.name else None)
        if letter is not None:
            key = (action, payload.get("clock") if action == "clock_ran_out" else None)
            self._steps.setdefault(letter, {}).setdefault(key, []).append(self._seq)
        step: dict[str, Any] = {
            "seq": self._seq,
            "at": self.now,
            "actor_id": by.person_id,
            "actor": f"{by.name} ({by.role})",
            "unit": by.unit,
            "machine": machine,
            "subject": subject,
            "row": row,
            "action": action,
            "from_state": None if before is None else str(before),
            "to_state": str(after),
            "payload": dict(payload),
        }
        previous, number = self._hash, self.incident.subject
        self._hash = chain_hash(previous, incident_number=number, **step)
        self.book.sheets.add(
            Trace,
            {"incident_id": self.incident.row["id"], **step, "previous_hash": previous, "hash": self._hash},
        )

    def note(self, action: str, row: str, payload: Mapping[str, Any], *, by: Actor = SYSTEM) -> None:
        """Write down something that changes no state."""
        status = self.incident.status
        self._write(INCIDENT.name, self.incident.subject, row, action, status, status, payload, by)

    def explain(self, *entries: dict[str, Any]) -> None:
        """Add to why the case goes as it does."""
        self.incident.row["explanation"].extend(entries)

    def shown_by(self, task: Thing) -> Mapping[tuple[str, str | None], Sequence[int]]:
        """Return the numbers of the steps on a task by (act, clock)."""
        return self._steps.get(task.subject, {})

    def unanswered(self) -> list[dict[str, Any]]:
        """Return the rows of slips whose answer is owed."""
        return [one for one in self.slips if one["answered_at"] is None and one["answer_due_at"] is not None]

    def close_book(self) -> None:
        """Put the head of the chain on the incident; nothing may be left running."""
        if self._clocks:
            raise ValueError(f"{self.incident.subject}: {self._clocks[0]['kind']} still runs")
        self.incident.row["trace_seq"], self.incident.row["trace_hash"] = self._seq, self._hash

    # -- clocks

    def start_clock(
        self,
        kind: DeadlineKind,
        limit: Limit | None = None,
        *,
        due_at: datetime | None = None,
        whistle: Thing | None = None,
        task: Thing | None = None,
    ) -> datetime:
        """Start a clock by its limit or to a moment; return when it runs out.

        limit : with a moment, the limit that it was counted by.
        """
        if due_at is None:
            limit = limit or DEFAULT.limit(kind, self.incident.row["grade"])
            due_at = self.book.due(self.now, limit)
        clock = {
            "incident_id": self.incident.row["id"],
            "whistle_id": whistle.row["id"] if whistle else None,
            "task_id": task.row["id"] if task else None,
            "kind": kind,
            "round": self.incident.row["round"],
            "limit": limit.to_json() if limit else None,
            "started_at": self.now,
            "due_at": due_at,
            "settled_at": None,
            "fired_at": None,
            "outcome": None,
        }
        if kind is DeadlineKind.HANDLE:
            self.incident.row["due_effective"], self.handle_limit = due_at, limit
        self._clocks.append(clock)
        self.book.sheets.add(Deadline, clock)
        return due_at

    def stop_clock(
        self,
        *kinds: DeadlineKind,
        whistle: Thing | None = None,
        task: Thing | None = None,
        void: bool = False,
    ) -> None:
        """Settle running clocks: met, missed, or void."""
        for clock in [c for c in self._clocks if c["kind"] in kinds]:
            if whistle is not None and clock["whistle_id"] != whistle.row["id"]:
                continue
            if task is not None and clock["task_id"] != task.row["id"]:
                continue
            late = self.now > clock["due_at"]
            clock["settled_at"] = self.now
            clock["outcome"] = Outcome.VOID if void else Outcome.MISSED if late else Outcome.MET
            self._clocks.remove(clock)

    def running_until(self, kind: DeadlineKind) -> datetime | None:
        """Return when a running clock of a kind runs out, the first if there are several."""
        return min((c["due_at"] for c in self._clocks if c["kind"] is kind), default=None)

    def _fire(self, clock: dict[str, Any]) -> None:
        clock["settled_at"] = clock["fired_at"] = self.now
        clock["outcome"] = Outcome.MISSED
        self._clocks.remove(clock)
        whistles = [w for w in (self.first, self.second, self.third) if w is not None]
        whistle = next((w for w in whistles if w.row["id"] == clock["whistle_id"]), None)
        task = next((t for t in self.tasks if t.row["id"] == clock["task_id"]), None)
        status = self.incident.status
        self._write(
            INCIDENT.name,
            self.incident.subject,
            "T11" if task else "clock",
            "clock_ran_out",
            status,
            status,
            {
                "clock": clock["kind"].value,
                "due_at": rendered(clock["due_at"]),
                "whistle": whistle.subject if whistle else None,
                "letter": task.subject if task else None,
            },
            SYSTEM,
        )
        kind = clock["kind"]
        if kind is DeadlineKind.COMMUNITY and whistle is not None:
            self.climb(whistle, "no_answer_in_time")
        elif kind is DeadlineKind.CHECK_IN and whistle is not None and task is not None:
            task.row["presence"] = Presence.NO_SHOW
            appointed_at = rendered(whistle.row["appointed_at"])
            facts = {"whistle": whistle.subject, "letter": task.subject, "appointed_at": appointed_at}
            self.note("no_show", "T5", facts)
        elif kind is DeadlineKind.HANDLE:
            self.incident.row["first_overdue_at"] = self.incident.row["first_overdue_at"] or clock["due_at"]
            self.incident.row["overdue_grid_code"] = self.cell
        elif kind is DeadlineKind.COMPLETE and task is not None:
            task.row["first_overdue_at"] = task.row["first_overdue_at"] or clock["due_at"]
        self.book.supervise(self, clock, whistle, task)

    # -- the ladder, as far as it goes by itself

    def new_whistle(self, level: int, status: WhistleStatus, by: Actor, reason: str | None) -> Thing:
        """Make a whistle and put its row on the sheet."""
        area = self.cell[: 12 if level == 1 else 9]
        stem = f"W{self.now.astimezone(SHANGHAI):%Y%m%d}{area[:6]}"
        number = f"{stem}{self.book.next_number(f'whistle {stem}'):05d}"
        row = _whistle_row(
            id=next(self.book.ids["whistle"]),
            number=number,
            incident_id=self.incident.row["id"],
            level=level,
            round=self.incident.row["round"],
            status=status,
            area_code=area,
            reason=reason,
            blown_at=self.now,
            blown_by_id=by.person_id,
        )
        self.book.sheets.add(Whistle, row)
        return Thing(WHISTLE.name, number, row, level)

    def blow_second(self, by: Actor, reason: str | None) -> None:
        """Blow for the town (row W3), with the clocks of the dual track."""
        self.second = self.new_whistle(2, WhistleStatus.BLOWN, by, reason)
        self.begun(self.second, "blow", maker("blow", 2, by), {"reason": reason})
        self.start_clock(DeadlineKind.LIAISON, whistle=self.second)
        self.start_clock(DeadlineKind.FILE, whistle=self.second)

    def climb(self, whistle: Thing, reason: str, by: Actor = SYSTEM) -> None:
        """Take a level-1 whistle to the town by itself: nobody answered, or the post is empty."""
        self.move(whistle, "escalate", SYSTEM, {"reason": reason})
        self.stop_clock(DeadlineKind.COMMUNITY, whistle=whistle, void=True)
        whistle.row["ended_at"] = self.now
        self.move(self.incident, "climb", SYSTEM, {"reason": reason, "level": 2})
        self.explain(explanation.whistle(2, reason, at=self.now, area=whistle.row["area_code"]))
        self.blow_second(by, reason)


@cache
def _makers(action: str, level: int) -> frozenset[Role]:
    return frozenset(r for row in WHISTLE.rows(action, level) if not row.sources for r in row.roles)


def maker(action: str, level: int, by: Actor) -> Actor:
    """Return who makes a whistle: the actor where the table lets them, else the system that follows them."""
    return by if by.role in _makers(action, level) else SYSTEM


_WHISTLE_COLUMNS = tuple(Whistle.__table__.columns.keys())


def _whistle_row(**known: Any) -> dict[str, Any]:
    return {**dict.fromkeys(_WHISTLE_COLUMNS), "version": 1, **known}
