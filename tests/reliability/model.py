"""A case in plain Python: what the city's rules say follows from an act, written without looking at the use cases.

No database, no calendar. Which act leads from which state to which is read from the tables of `grids.rules`, the one
source; every guard and every consequence is written here anew. Moments are not the model's business (other tests hold
them to an oracle): when a clock runs out, and until when a part is due, it is told.

A clock is a pair: its kind, and what it is of: "case", "W1" (the first whistle), "T2" (the second task).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

__all__ = ["Case", "Dispute", "Refused", "Task", "Whistle", "Who"]

DONE = {"completed", "accepted_ok", "scored"}
GONE = {"returned", "withdrawn"}
OVER = {"refused", "withdrawn", "returned_to_community"}
OUT = {"issued", "in_progress"}
UNISSUED = {"blown", "handling", "filed", "tasked", "drafted", "pending_confirm"}
TOWN = {"town_office", "town_grid_centre"}
BOARD = {"governance_centre", "district_platform"}
SIGN = ("bianban", "justice", "government_office")
RANKS = ("red", "orange", "yellow", "blue", "green")
# what nobody works on while the case is suspended or on the ledger, and so the clocks that stand still with it
STILL = {
    "handle",
    "community",
    "liaison",
    "file",
    "assign",
    "draft",
    "confirm",
    "complete",
    "long_overdue",
    "return_decision",
    "extension_decision",
}
HELD_WHISTLE = {
    "answer",
    "assign",
    "change_departments",
    "confirm",
    "confirm_by_phone",
    "confirm_instead",
    "escalate",
    "file",
    "hand_back",
    "issue",
    "name_liaison",
    "refuse",
    "solve",
    "submit",
    "withdraw",
}
HELD_TASK = {
    "accept",
    "complete",
    "extend",
    "grant_extension",
    "refuse_extension",
    "return",
    "rework",
    "send_back",
    "send_back_responded",
    "start",
    "start_remote",
}


class Refused(Exception):
    """The act is not to be done now, or not by this person."""


@dataclass(frozen=True)
class Who:
    """Somebody: a name, a role, the area of the post or the code of the department."""

    name: str
    role: str
    area: str = ""
    body: str = ""


SYSTEM = Who("system", "system")


@dataclass
class Whistle:
    name: str
    level: int
    round: int
    state: str
    called: dict[str, bool] = field(default_factory=dict)  # by department: whether it leads
    emergency: bool = False
    assigned: bool = False
    issued: bool = False
    phoned: bool = False
    written: bool = False
    ended: bool = False
    action: str = ""  # the joint action: "", "runs", "over"


@dataclass
class Task:
    name: str
    whistle: Whistle
    body: str
    lead: bool
    state: str = "pending_response"
    before: str = ""  # a return was asked for
    came: bool = False
    words: list[tuple[str, bool]] = field(default_factory=list)
    presence: str = ""
    remote: bool = False
    reworks: int = 0
    late: bool = False
    disputed: bool = False
    asked: datetime | None = None  # more time was asked for, then
    extended: int = 0
    appeal: str = ""  # "", "asked", "decided"
    marked: bool = False
    nudges: dict[str, int] = field(default_factory=dict)


@dataclass
class Dispute:
    name: str
    parties: list[str]
    leads: str
    filer: str
    state: str = "filed"
    views: dict[str, str] = field(default_factory=dict)
    opinion: str = ""
    signed: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)


@dataclass
class Case:
    """One case. tables : rows (machine, act, level, from, to, roles), as data. leader : the post is filled."""

    tables: list[tuple[str, str, int | None, frozenset[str], str | None, frozenset[str]]]
    cell: str
    now: datetime
    grade: str
    category_level: int
    listed: dict[str, bool] = field(
        default_factory=dict
    )  # whom the list of duties names, as `Whistle.called`
    leader: bool = True
    reporter: bool = True
    state: str = ""
    round: int = 1
    placed: bool = True
    mergeable: bool = True  # another report of the same thing can be seen by whoever looks
    whistles: list[Whistle] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    running: set[tuple[str, str]] = field(default_factory=set)
    still: set[tuple[str, str]] = field(default_factory=set)
    due: dict[str, datetime] = field(default_factory=dict)  # told: of "case" and of each task
    late: bool = False
    seen: str = ""
    asked: bool = False
    handler: str = ""
    did: set[tuple[int, str]] = field(default_factory=set)
    calls: list[tuple[datetime, bool, bool]] = field(default_factory=list)
    closed: datetime | None = None
    slips: set[tuple[Any, ...]] = field(default_factory=set)
    open_slips: dict[str, list[str]] = field(default_factory=dict)
    hops: int = 0
    led: bool = False

    # -- the tables

    def row(self, machine: str, state: str | None, act: str, role: str, level: int | None = None) -> str:
        for name, action, at, sources, target, roles in self.tables:
            if (name, action) != (machine, act) or (at is not None and level is not None and at != level):
                continue
            if (state in sources if state else not sources) and role in roles:
                return target or state or ""
        raise Refused(f"{machine}.{act} from {state} by {role}")

    def move(self, thing: Case | Whistle | Task | Dispute, act: str, role: str = "system") -> None:
        machine = "incident" if isinstance(thing, Case) else type(thing).__name__.lower()
        level = thing.level if isinstance(thing, Whistle) else None
        to = self.row(machine, thing.state, act, role, level)
        held = {"whistle": HELD_WHISTLE, "task": HELD_TASK}.get(machine, set())
        if self.waits and role != "system" and act in held:
            raise Refused("the case waits")
        before, thing.state = thing.state, to
        if thing is self and before == "handling" and to not in ("handling", "suspended"):
            self.asked = False
        if isinstance(thing, Task) and to in DONE | GONE and before not in DONE:
            thing.asked = None
            self.stop("extension_decision", of=thing.name)

    @staticmethod
    def need(what: bool, why: str = "") -> None:
        if not what:
            raise Refused(why)

    # -- clocks

    @property
    def waits(self) -> bool:
        return self.state in ("suspended", "ledger")

    def run(self, kind: str, of: str = "case") -> None:
        (self.still if self.waits and kind in STILL else self.running).add((kind, of))

    def stop(self, *kinds: str, of: str | None = None) -> None:
        for clocks in (self.running, self.still) if self.waits else (self.running,):
            clocks -= {one for one in clocks if one[0] in kinds and of in (None, one[1])}

    def drop(self, *names: str) -> None:
        self.running -= {one for one in self.running if one[1] in names}

    def ran_out(self, kind: str, of: str) -> None:  # noqa: C901
        """A clock has run out: what follows by itself."""
        assert (kind, of) in self.running, f"{kind} of {of} does not run"
        self.running.discard((kind, of))
        task = next((one for one in self.tasks if one.name == of), None)
        if kind == "handle":
            self.late = True
            if all(one.state in GONE | DONE for one in self.tasks):
                self.slip("supervise", "overdue", None)
        elif kind == "community":
            self.climb(self.called(of), stop=False)
        elif kind == "suspension":
            self.move(self, "resume")
            self.go_on()
        elif kind == "dispute":
            dispute = self.dispute
            if dispute and dispute.state == "suspended":
                self.move(dispute, "resume")
                self.run("dispute")
        elif kind == "slip_answer":
            waiting = self.open_slips.get(of, [])
            if waiting and "warn" not in waiting:
                self.slip("warn", "ignored", task, len(waiting))
        elif task is None:
            return
        elif kind == "respond":
            self.slip("remind", "no_response", task)
        elif kind == "check_in":
            if task.state not in GONE and not task.remote and self.word(task.words, over=True) == "no_show":
                task.presence = "no_show"
        elif kind == "complete":
            task.late = True
            self.slip("supervise", "overdue", task)
            self.run("long_overdue", of)
        elif kind == "long_overdue":
            if task.state not in DONE | GONE:
                self.slip("warn", "long_overdue", task)
        elif kind == "appraisal" and task.state == "accepted_ok":
            self.move(task, "appraise")
            self.stop("score", of=of)
            self.finish_scores(task.whistle)

    def slip(self, kind: str, cause: str, task: Task | None, step: int = 1) -> None:
        of = task.name if task else "case"
        if (kind, cause, self.round, step, of) in self.slips:
            return
        self.slips.add((kind, cause, self.round, step, of))
        if kind != "remind":
            self.open_slips.setdefault(of, []).append(kind)
            self.run("slip_answer", of)

    def answer_slip(self, who: Who, of: str) -> None:
        task = next((one for one in self.tasks if one.name == of), None)
        self.need(bool(self.open_slips.get(of)), "nothing to answer")
        mine = who.body == task.body if task else who.role in TOWN and who.area == self.cell[:9]
        self.need(mine, "not theirs")
        self.open_slips[of].pop(0)
        if not self.open_slips[of]:
            self.stop("slip_answer", of=of)

    # -- who sees what

    def sees(self, who: Who, of: Whistle | Task | Dispute | None = None) -> bool:
        if isinstance(of, Dispute):
            inside = bool(who.area) and self.cell[:9].startswith(who.area)
            return inside or (bool(who.body) and who.body in of.parties)
        if who.area:
            return self.cell.startswith(who.area)
        if isinstance(of, Task):
            return of.body == who.body
        return any(one.body == who.body for one in self.tasks if of in (None, one.whistle))

    def called(self, name: str) -> Whistle:
        return next(one for one in self.whistles if one.name == name)

    def at(self, level: int) -> Whistle | None:
        mine = [one for one in self.whistles if one.level == level and one.round == self.round]
        return mine[-1] if mine else None

    def under(self, whistle: Whistle) -> list[Task]:
        return [one for one in self.tasks if one.whistle is whistle]

    def held(self, whistle: Whistle) -> list[Task]:
        return [one for one in self.under(whistle) if one.state not in GONE]

    @property
    def dispute(self) -> Dispute | None:
        return next((one for one in self.disputes if one.state not in ("closed", "withdrawn")), None)

    # -- the report

    def report(self, who: Who, *, citizen: bool) -> None:
        self.state = "reported"
        if self.placed and who.role == "grid_worker" and self.cell.startswith(who.area):
            self.accept_now(None)
            return
        self.run("accept")
        if self.placed:
            self.look_first(citizen)

    def look_first(self, citizen: bool) -> None:
        if citizen and self.grade != "red":
            self.move(self, "send_to_verify")
            self.run("inspect")

    def place(self, who: Who, *, cell: str, citizen: bool) -> None:
        self.need(not self.placed and cell.startswith(who.area or "-"))
        self.move(self, "place", who.role)
        self.cell, self.placed = cell, True
        self.look_first(citizen)

    def inspect(self, who: Who, *, found: str) -> None:
        self.need(self.seen in ("", "unable"))
        self.move(self, "inspect", who.role)
        self.seen = found
        self.stop("inspect")

    def accept(self, who: Who, *, level: int | None) -> None:
        self.need(self.placed)
        self.row("incident", self.state, "accept", who.role)
        self.accept_now(level)

    def accept_now(self, level: int | None) -> None:
        self.state = "handling"
        self.stop("accept", "inspect")
        self.run("handle")
        self.begin(level or (3 if self.grade == "red" else self.category_level))

    def reject(self, who: Who) -> None:
        self.move(self, "reject", who.role)
        self.running.clear()

    def cancel(self, who: Who) -> None:
        self.call_off(who, "cancel")

    def merge(self, who: Who) -> None:
        self.need(self.mergeable)
        self.call_off(who, "merge")

    def call_off(self, who: Who, act: str) -> None:
        self.need(not any(one.issued and one.state != "withdrawn" for one in self.whistles))
        self.move(self, act, who.role)
        for level in (1, 2, 3):
            whistle = self.at(level)
            if whistle and whistle.state in UNISSUED:
                self.move(whistle, "withdraw")
                whistle.ended = True
        dispute = self.dispute
        if dispute:  # whose duty it is, is no question any more
            self.settle()
            dispute.state = "closed" if dispute.state == "executing" else "withdrawn"
        self.running.clear()
        self.asked = False

    # -- the ladder

    def blow(self, level: int, state: str = "blown") -> Whistle:
        made = Whistle(f"W{len(self.whistles) + 1}", level, self.round, state)
        self.whistles.append(made)
        return made

    def begin(self, level: int) -> None:
        if level == 1:
            first = self.blow(1)
            if self.leader:
                self.run("community", first.name)
            else:
                self.climb(first)
        elif level == 2:
            self.blow_town()
        else:
            third = self.blow(3, "drafted")
            third.called = dict(self.listed)
            self.run("draft", third.name)

    def blow_town(self) -> None:
        second = self.blow(2)
        self.run("liaison", second.name)
        self.run("file", second.name)

    def climb(self, whistle: Whistle, *, stop: bool = True) -> None:
        self.move(whistle, "escalate")
        if stop:
            self.stop("community", of=whistle.name)
        whistle.ended = True
        self.move(self, "climb")
        self.blow_town()

    def end_here(self, whistle: Whistle) -> None:
        self.drop(whistle.name)
        whistle.ended = True

    def escalate(self, who: Who, whistle: Whistle) -> None:
        self.move(whistle, "escalate", who.role)
        self.end_here(whistle)
        self.move(self, "climb", who.role)
        self.begin(whistle.level + 1)

    def answer(self, who: Who, whistle: Whistle) -> None:
        self.move(whistle, "answer", who.role)

    def solve(self, who: Who, whistle: Whistle) -> None:
        self.move(whistle, "solve", who.role)
        self.end_here(whistle)
        self.resolve(who.role, who.name)

    def resolve(self, role: str, name: str) -> None:
        self.move(self, "resolve", role)
        self.handler = name
        self.stop("handle")
        self.run("verify")

    def name_liaison(self, who: Who, whistle: Whistle) -> None:
        self.move(whistle, "name_liaison", who.role)
        self.stop("liaison", of=whistle.name)

    def file(self, who: Who, whistle: Whistle) -> None:
        self.row("whistle", whistle.state, "file", who.role, whistle.level)
        self.name_liaison(who, whistle)
        self.move(whistle, "file", who.role)
        self.stop("file", of=whistle.name)
        self.run("assign", whistle.name)

    def assign(self, who: Who, whistle: Whistle) -> None:
        self.move(whistle, "assign", who.role)
        whistle.assigned = True
        self.stop("assign", of=whistle.name)

    def hand_back(self, who: Who, whistle: Whistle) -> None:
        self.move(whistle, "hand_back", who.role)
        self.end_here(whistle)
        self.begin(1)

    def take_back(self) -> None:
        second = self.at(2)
        if second is None or second.state != "escalation_applied":
            self.blow_town()
            return
        second.ended = False
        self.move(second, "keep" if second.assigned else "keep_filed")
        if not second.assigned:
            self.run("assign", second.name)

    # -- departments called

    def submit(self, who: Who, whistle: Whistle, *, called: dict[str, bool], emergency: bool) -> None:
        self.move(whistle, "submit", who.role)
        whistle.called, whistle.emergency = dict(called), emergency
        self.stop("draft", of=whistle.name)
        self.run("confirm", whistle.name)

    def confirm(self, who: Who, whistle: Whistle) -> None:
        self.confirmed(who, whistle, "confirm")

    def confirm_by_phone(self, who: Who, whistle: Whistle) -> None:
        self.need(whistle.emergency)
        self.confirmed(who, whistle, "confirm_by_phone")
        whistle.phoned = True
        self.run("written", whistle.name)

    def confirm_instead(self, who: Who, whistle: Whistle) -> None:
        self.need(("confirm", whistle.name) not in self.running, "the leader has time")
        self.confirmed(who, whistle, "confirm_instead")

    def confirmed(self, who: Who, whistle: Whistle, act: str) -> None:
        self.move(whistle, act, who.role)
        self.stop("confirm", of=whistle.name)
        self.issue_all(whistle)

    def issue(self, who: Who, whistle: Whistle) -> None:
        self.row("whistle", whistle.state, "issue", who.role, whistle.level)
        if set(whistle.called) - {one.body for one in self.held(whistle)}:
            self.move(whistle, "issue", who.role)
            self.issue_all(whistle)

    def issue_all(self, whistle: Whistle) -> None:
        whistle.issued = True
        have = {one.body for one in self.held(whistle)}
        for body, lead in whistle.called.items():
            if body not in have:
                self.give(whistle, body, lead)

    def give(self, whistle: Whistle, body: str, lead: bool) -> None:
        made = Task(f"T{len(self.tasks) + 1}", whistle, body, lead)
        self.tasks.append(made)
        for kind in ("respond", "check_in", "complete"):
            self.run(kind, made.name)

    def write_confirmation(self, who: Who, whistle: Whistle) -> None:
        self.need(whistle.phoned and not whistle.written)
        self.move(whistle, "write_confirmation", who.role)
        whistle.written = True
        self.stop("written", of=whistle.name)

    def refuse(self, who: Who, whistle: Whistle) -> None:
        self.move(whistle, "refuse", who.role)
        whistle.ended = True
        self.stop("confirm", of=whistle.name)
        self.take_back()

    def withdraw(self, who: Who, whistle: Whistle) -> None:
        waiting = {"pending_response", "responded", "return_requested"} | GONE
        self.need(not any(one.came or one.state not in waiting for one in self.under(whistle)))
        self.move(whistle, "withdraw", who.role)
        whistle.ended = True
        for task in self.held(whistle):
            self.let_go(task, "system")
        self.drop(whistle.name)
        self.take_back()

    def let_go(self, task: Task, role: str) -> None:
        self.move(task, "withdraw", role)
        task.disputed, task.before = False, ""
        self.drop(task.name)

    def change_departments(self, who: Who, whistle: Whistle, *, called: dict[str, bool]) -> None:
        self.row("whistle", whistle.state, "change_departments", who.role, whistle.level)
        lead = next(body for body, leads in called.items() if leads)
        self.need(self.switch(whistle, lead, [one for one in called if one != lead], who.role))

    def switch(self, whistle: Whistle, lead: str, others: list[str], role: str = "system") -> bool:
        wanted = {lead: True} | dict.fromkeys(others, False)
        if whistle.state in ("drafted", "pending_confirm"):
            changed = list(whistle.called.items()) != list(wanted.items())
            whistle.called = wanted
            return changed
        if whistle.state not in OUT:
            return False
        held = self.held(whistle)
        counted = [one for one in held if one.body in wanted or one.state not in DONE or one.lead]
        if {one.body: one.lead for one in counted} == wanted:
            return False
        self.move(whistle, "change_departments", role)
        whistle.called = wanted
        for task in held:
            if task.body not in wanted and task.state not in DONE:
                self.let_go(task, role)
            else:
                task.lead = wanted.get(task.body, False)
        for body, leads in wanted.items():
            if body not in {one.body for one in held}:
                self.give(whistle, body, leads)
        parts = self.held(whistle)
        if self.state == "handling" and all(one.state in DONE for one in parts):
            if whistle.state == "issued":
                self.move(whistle, "progress")
            self.conclude(whistle)
        return True

    def conclude(self, whistle: Whistle) -> None:
        """The last part is done: so is the joint action, and the case is resolved."""
        if whistle.action == "runs":
            whistle.action = "over"
        self.resolve("system", self.actor)

    actor: str = ""  # who acts now: handles the case where the last part resolves it

    # -- departments at work

    def own(self, who: Who, task: Task) -> None:
        self.need(who.body == task.body, "another department's")

    def respond(self, who: Who, task: Task) -> None:
        self.own(who, task)
        self.move(task, "respond", who.role)
        self.stop("respond", of=task.name)
        if task.whistle.state == "issued":
            self.move(task.whistle, "progress")

    def request_return(self, who: Who, task: Task, *, in_time: bool) -> None:
        self.own(who, task)
        before = task.state
        self.move(task, "request_return", who.role)
        task.before = before
        if in_time:
            self.run("return_decision", task.name)
        else:
            task.state, task.before = before, ""

    def decide_return(
        self, who: Who, task: Task, *, granted: bool, hand_to: str | None, lead: str | None
    ) -> None:
        self.row("task", task.state, "return", who.role)
        if self.waits:
            raise Refused("the case waits")
        if not granted or (hand_to and self.hops >= 2):
            if granted:  # handed on often enough: the joint meeting says whose it is
                self.need(self.dispute is not None or who.role in TOWN | {"hotline_desk"})
                self.need(hand_to != task.body)
            task.state, before = task.before, task.before
            task.before = ""
            self.stop("return_decision", of=task.name)
            if granted and self.dispute is None:
                self.dispute_case(who, also=(hand_to or "",), lead=hand_to)
            assert before
            return
        others = [one for one in self.held(task.whistle) if one is not task]
        bodies = {one.body: one for one in others}
        self.need(hand_to != task.body)
        if task.lead:
            heir = hand_to or lead
            if heir is None:
                self.need(not others, "somebody has to lead")
            else:
                self.need(heir in bodies or heir == hand_to)
                if heir in bodies:
                    self.need(bodies[heir].state not in DONE | {"return_requested"})
        else:
            self.need(hand_to not in bodies)
            heir = next(one.body for one in others if one.lead)
        self.move(task, "return", who.role)
        task.disputed, task.before = False, ""
        self.stop("return_decision", of=task.name)
        self.hops += bool(hand_to)
        self.drop(task.name)
        if heir is None:
            self.redraft(task.whistle)
            return
        rest = [*bodies, *([hand_to] if hand_to and hand_to not in bodies else [])]
        task.whistle.called = {heir: True} | {one: False for one in rest if one != heir}
        self.switch(task.whistle, heir, [one for one in rest if one != heir])

    def redraft(self, whistle: Whistle) -> None:
        self.move(whistle, "redraft")
        self.drop(whistle.name, *(one.name for one in self.under(whistle)))
        whistle.issued = whistle.phoned = whistle.written = False
        sent_back = {one.body for one in self.under(whistle)}
        whistle.called = {body: leads for body, leads in self.listed.items() if body not in sent_back}
        self.run("draft", whistle.name)

    @staticmethod
    def word(words: list[tuple[str, bool]], *, over: bool = False) -> str:
        said = [who for who, _ in words]
        if "town" in said:
            last = next(came for who, came in reversed(words) if who == "town")
            return "confirmed" if last else "contradicted" if "department" in said else "no_show"
        return "claimed" if said else "no_show" if over else ""

    def check_in(self, who: Who, task: Task) -> None:
        if who.body:
            self.own(who, task)
        self.move(task, "check_in", who.role)
        task.words.append(("department" if who.body else "town", True))
        task.presence, task.came = self.word(task.words), True
        self.stop("check_in", of=task.name)

    def confirm_presence(self, who: Who, task: Task) -> None:
        self.need(task.presence in ("claimed", "contradicted"))
        self.move(task, "confirm_presence", who.role)
        task.words.append(("town", True))
        task.presence = "confirmed"

    def deny_presence(self, who: Who, task: Task) -> None:
        self.need(task.presence in ("claimed", "confirmed"))
        self.move(task, "deny_presence", who.role)
        task.words.append(("town", False))
        task.presence = self.word(task.words)

    def start(self, who: Who, task: Task) -> None:
        self.own(who, task)
        self.move(task, "start", who.role)
        if task.lead:
            for other in self.held(task.whistle):
                if other.state == "checked_in":
                    self.move(other, "start", who.role)
            task.whistle.action = "runs"

    def start_remote(self, who: Who, task: Task) -> None:
        self.move(task, "start_remote", who.role)
        task.remote, task.presence = True, ""
        self.stop("check_in", of=task.name)

    def end_action(self, who: Who, whistle: Whistle) -> None:
        self.need(whistle.action == "runs")
        if who.body:
            self.need(any(one.lead and one.body == who.body for one in self.held(whistle)))
        self.move(whistle, "end_action", who.role)
        whistle.action = "over"

    def follow_up(self, who: Who, whistle: Whistle) -> None:
        self.need(bool(whistle.action))
        self.move(whistle, "follow_up", who.role)

    def complete(self, who: Who, task: Task) -> None:
        self.own(who, task)
        opened = [one for one in self.held(task.whistle) if one is not task and one.state not in DONE]
        self.need(not (task.lead and opened), "the lead completes last")
        self.move(task, "complete", who.role)
        self.did.add((self.round, who.name))
        self.stop("complete", "long_overdue", of=task.name)
        if not opened and self.state == "handling":
            self.conclude(task.whistle)

    def extend(self, who: Who, task: Task) -> None:
        self.own(who, task)
        self.need(self.grade != "red" and not task.late and task.asked is None and task.extended < 1)
        self.move(task, "extend", who.role)
        task.asked = self.now
        self.run("extension_decision", task.name)

    def grant_extension(self, who: Who, task: Task, *, until: datetime) -> None:
        asked = task.asked
        self.need(asked is not None)
        assert asked is not None
        self.move(task, "grant_extension", who.role)
        task.asked, task.extended = None, task.extended + 1
        self.stop("extension_decision", of=task.name)
        lead = next((one for one in self.held(task.whistle) if one.lead and one.state not in DONE), task)
        for part in (task, lead):  # the lead finishes last; what had run out before one asked stays late
            if self.due[part.name] < until and self.due[part.name] >= asked:
                part.late = False
                self.run("complete", part.name)
                self.stop("long_overdue", of=part.name)
                self.due[part.name] = until
        if asked <= self.due["case"] < until:
            self.late = False
            self.run("handle")

    def refuse_extension(self, who: Who, task: Task) -> None:
        self.need(task.asked is not None)
        self.move(task, "refuse_extension", who.role)
        task.asked = None
        self.stop("extension_decision", of=task.name)

    def rework_task(self, who: Who, task: Task) -> None:
        self.need(task.whistle.round == self.round and self.state in ("handling", "resolved"))
        self.send_task_back(task, who.role)
        if self.state == "resolved":
            self.move(self, "rework")
            self.stop("verify")
            self.run("handle")

    def send_task_back(self, task: Task, role: str = "system") -> None:
        self.move(task, "rework", role)
        if task.whistle.state != "in_progress":
            self.move(task.whistle, "rework")
            task.whistle.ended = False
        self.stop("score", "appraisal", "appeal_decision", of=task.name)
        if task.appeal == "asked":  # it lapses with the result that it was against
            task.appeal = ""
        task.reworks += 1
        if task.reworks >= 2:
            self.slip("supervise", "rework", task, task.reworks)
        self.run("complete", task.name)

    def nudge(self, who: Who, task: Task, *, kind: str) -> None:
        self.need(kind == "remind" or who.role == "governance_centre")
        self.move(task, "nudge", who.role)
        task.nudges[kind] = task.nudges.get(kind, 0) + 1
        self.slip(kind, "by_hand", task, task.nudges[kind])

    # -- checked, closed, scored

    def verify_whistle(self, who: Who, whistle: Whistle) -> None:
        self.row("whistle", "completed", "verify", who.role, whistle.level)
        if whistle.state == "in_progress":
            parts = self.held(whistle)
            self.need(all(one.state in DONE for one in parts))
            for task in parts:
                if task.state == "completed":
                    self.move(task, "accept", who.role)
                    self.run("score", task.name)
                    self.run("appraisal", task.name)
            self.move(whistle, "complete")
        self.move(whistle, "verify", who.role)
        whistle.ended = True

    def archive(self, who: Who, whistle: Whistle) -> None:
        self.move(whistle, "archive", who.role)

    def verify(self, who: Who) -> None:
        third = self.at(3)
        self.need(who.name != self.handler and (self.round, who.name) not in self.did, "own work")
        self.need(third is None or third.state not in OUT, "the town looks at the parts first")
        self.move(self, "verify", who.role)
        self.stop("verify")
        if self.reporter:
            self.run("callback")
        else:
            self.close()

    def rework(self, who: Who) -> None:
        self.need(who.name != self.handler and (self.round, who.name) not in self.did, "own work")
        self.move(self, "rework", who.role)
        self.stop("verify")
        self.run("handle")
        whistle = self.at(self.level_reached())
        assert whistle is not None
        if whistle.level < 3:
            self.move(whistle, "rework")
            whistle.ended = False
            return
        for task in self.under(whistle):
            if task.state in DONE:
                self.send_task_back(task)

    def level_reached(self) -> int:
        for level in (3, 2):
            whistle = self.at(level)
            if whistle and whistle.state not in OVER:
                return level
        return 1

    def close(self, role: str = "system") -> None:
        self.move(self, "close", role)
        self.closed = self.now

    def callback(self, who: Who, *, reached: bool, happy: bool) -> None:
        self.move(self, "callback", who.role)
        self.calls.append((self.now, reached, happy))
        days = {_day(when) for when, *_ in self.calls}
        if reached or (len(self.calls) >= 3 and len(days) >= 2):
            self.stop("callback")
            self.close(who.role)
            if any(got and not fine for _, got, fine in self.calls):
                self.again(who.role)

    def reopen(self, who: Who) -> None:
        self.row("incident", self.state, "reopen", who.role)
        self.need(self.placed and self.closed is not None)
        assert self.closed is not None
        self.need(who.role == "governance_centre" or (_day(self.now) - _day(self.closed)).days <= 15)
        self.again(who.role)

    def again(self, role: str) -> None:
        level = min(self.level_reached(), 2)
        self.move(self, "reopen", role)
        self.round, self.late, self.calls, self.closed = self.round + 1, False, [], None
        self.run("handle")
        self.begin(level)

    def score(self, who: Who, task: Task) -> None:
        self.move(task, "score", who.role)
        self.stop("score", "appraisal", of=task.name)
        self.finish_scores(task.whistle)

    def finish_scores(self, whistle: Whistle) -> None:
        if whistle.state == "verified" and all(one.state == "scored" for one in self.held(whistle)):
            self.move(whistle, "score")

    def score_peer(self, who: Who, task: Task) -> None:
        beside = any(one.lead and one.body == who.body for one in self.held(task.whistle))
        self.need(beside and not task.lead and not task.marked)
        self.move(task, "score_peer", who.role)
        task.marked = True

    def appeal(self, who: Who, task: Task, *, in_time: bool) -> None:
        self.own(who, task)
        self.need(in_time and not task.appeal)
        self.move(task, "appeal", who.role)
        task.appeal = "asked"
        self.run("appeal_decision", task.name)

    def decide_appeal(self, who: Who, task: Task) -> None:
        self.need(task.appeal == "asked")
        self.move(task, "decide_appeal", who.role)
        task.appeal = "decided"
        self.stop("appeal_decision", of=task.name)

    # -- standing still

    def level_at_work(self) -> int:
        blown = [one for one in self.whistles if one.round == self.round and one.state not in OVER]
        if any(one.level == 3 and one.state in OUT for one in blown):
            return 3
        return 2 if any(one.level > 1 for one in blown) else 1

    def open_parts(self) -> list[Task]:
        return [one for one in self.tasks if one.whistle.round == self.round and one.state not in DONE | GONE]

    def may_wait(self) -> None:
        self.need(self.grade != "red" and not self.late and not any(one.late for one in self.open_parts()))

    def decider(self, who: Who) -> None:
        self.need(
            who.role == ("district_platform" if self.level_at_work() == 3 else "town_grid_centre"),
            "not their level",
        )

    def ask_suspension(self, who: Who) -> None:
        handles = {1: "grid_leader", 2: "town_office", 3: "department_duty"}[self.level_at_work()]
        self.need(who.role == handles and not self.asked)
        self.need(not who.body or who.body in {one.body for one in self.open_parts()})
        self.may_wait()
        self.move(self, "ask_suspension", who.role)
        self.asked = True

    def refuse_suspension(self, who: Who) -> None:
        self.decider(who)
        self.need(self.asked)
        self.move(self, "refuse_suspension", who.role)
        self.asked = False

    def suspend(self, who: Who) -> None:
        self.decider(who)
        self.may_wait()
        self.move(self, "suspend", who.role)
        self.asked = False
        self.stand_still()
        self.run("suspension")

    def resume(self, who: Who) -> None:
        self.decider(who)
        self.row("incident", self.state, "resume", who.role)
        self.stop("suspension")
        self.move(self, "resume", who.role)
        self.go_on()

    def stand_still(self) -> None:
        self.still = {one for one in self.running if one[0] in STILL}
        self.running -= self.still
        for task in self.open_parts():
            if task.state == "in_action":
                self.move(task, "suspend")

    def go_on(self) -> None:
        for kind, of in self.still:
            task = next((one for one in self.tasks if one.name == of), None)
            whistle = task.whistle if task else next((one for one in self.whistles if one.name == of), None)
            if not (task and task.state in DONE | GONE) and not (whistle and whistle.ended):
                self.running.add((kind, of))
        self.still = set()
        for task in self.open_parts():
            if task.state == "suspended":
                self.move(task, "resume")
        third = self.at(3)
        if third and third.state == "in_progress" and all(one.state in DONE for one in self.held(third)):
            self.conclude(third)

    def ledger(self, who: Who) -> None:
        self.move(self, "ledger", who.role)
        self.stand_still()
        self.run("ledger_review")

    def review_ledger(self, who: Who) -> None:
        self.move(self, "review_ledger", who.role)
        self.run("ledger_review")

    def take_up(self, who: Who) -> None:
        self.row("incident", self.state, "take_up", who.role)
        self.stop("ledger_review")
        self.move(self, "take_up", who.role)
        self.go_on()

    def close_ledger(self, who: Who) -> None:
        self.row("incident", self.state, "close_ledger", who.role)
        for level in (1, 2, 3):
            whistle = self.at(level)
            if whistle is None:
                continue
            for task in self.held(whistle):
                if task.state not in DONE:
                    self.let_go(task, "system")
            if whistle.state in UNISSUED | OUT:
                self.move(whistle, "withdraw")
                whistle.ended = True
                self.drop(whistle.name)
        self.stop("ledger_review")
        self.still = set()
        self.move(self, "close_ledger", who.role)
        self.closed = self.now

    def regrade(self, who: Who, *, grade: str) -> None:
        self.row("incident", self.state, "regrade", who.role)
        rises = RANKS.index(grade) < RANKS.index(self.grade)
        self.need(grade != self.grade and (rises or who.role == "district_platform"))
        self.grade = grade

    # -- disputes: flags beside the case; no clock but their own

    def seat(self, who: Who) -> str:
        if who.body:
            return who.body
        if who.role in TOWN:
            return "TOWN"
        named = {"hotline_desk": "hotline_centre", "district_leader": "leader"}
        return "bianban" if who.role in BOARD else named.get(who.role, "")

    def dispute_case(self, who: Who, *, also: tuple[str, ...], lead: str | None) -> None:
        self.row("dispute", None, "file", who.role)
        self.need(self.state in ("handling", "suspended") and self.dispute is None)
        third = self.at(3)
        whistle = third if third and third.state in {"drafted", "pending_confirm"} | OUT else None
        parts = self.held(whistle) if whistle else []
        bodies = [one.body for one in sorted(parts, key=lambda one: not one.lead)]
        bodies = bodies or list(whistle.called if whistle else ())
        self.need(not who.body or who.body in bodies)
        parties = list(dict.fromkeys((*bodies, *also, "TOWN")))
        self.need(parties != ["TOWN"])
        leads = next((one.body for one in parts if one.lead), "TOWN")
        made = Dispute(f"D{len(self.disputes) + 1}", parties, leads, self.seat(who))
        if lead:
            made.views[made.filer] = lead
        self.disputes.append(made)
        for task in parts:
            task.disputed = task.state not in ("accepted_ok", "scored")
        self.run("dispute")

    def on_dispute(self, who: Who, dispute: Dispute, act: str, **said: Any) -> None:
        """Any act on a dispute that is filed."""
        seat, lead = self.seat(who), said.get("lead")
        bodies = [one for one in dispute.parties if one != "TOWN"]
        views = {dispute.views.get(one) for one in bodies}
        agreed = views.pop() if len(views) == 1 else None
        mine = set(SIGN) if who.role in BOARD else {seat} & set(dispute.parties)
        self.need(
            {
                "state_position": seat in (*dispute.parties, dispute.filer),
                "negotiate": seat == dispute.leads,
                "agree": agreed is not None and agreed == lead and (not who.body or seat in dispute.parties),
                "decide": {"coordination": bool(dispute.opinion) and dispute.opinion == lead}.get(
                    dispute.state, dispute.state == "leader" or dispute.signed >= set(SIGN)
                ),
                "sign_off": said.get("sign") in mine - dispute.signed,
                "put_to_leader": not self.led,
                "refuse": seat in dispute.named,
                "withdraw": seat == dispute.filer,
            }.get(act, True)
        )
        self.move(dispute, act, who.role)
        if act == "state_position" and lead:
            dispute.views[seat] = lead
        elif act in ("coordinate", "give_opinion") and lead:
            dispute.opinion = lead
        elif act == "sign_off":
            dispute.signed.add(said["sign"])
        elif act == "put_to_leader":
            self.led = True
        elif act in ("close", "withdraw"):
            self.stop("dispute")
        if act == "withdraw":
            self.settle()
        if act in ("coordinate", "meet", "resume", "suspend"):
            self.run("dispute")
        if act in ("agree", "decide"):
            self.decided(dispute, lead or "", said.get("others", ()))

    def settle(self) -> None:
        for task in self.tasks:
            task.disputed = False

    def decided(self, dispute: Dispute, lead: str, others: tuple[str, ...]) -> None:
        dispute.named = {lead, *others}
        self.listed = {lead: True} | dict.fromkeys(others, False)  # a rule for whoever is called later
        self.settle()
        third = self.at(3)
        runs = third is not None and third.state in {"drafted", "pending_confirm"} | OUT
        if third is not None and runs:
            self.switch(third, lead, list(others))
        self.move(dispute, "execute")
        self.run("dispute")
        if not runs:
            self.move(dispute, "close")
            self.stop("dispute")


def _day(when: datetime) -> datetime:
    return (when + timedelta(hours=8)).replace(hour=0, minute=0, second=0, microsecond=0)
