"""Sixteen people act on one whistle at the same moment: whoever is accepted, the history is a path of the tables.

Every command has a connection of its own. Who loses is refused by the rules, never by the storage, and nobody waits
for anybody in a ring.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from gis.errors import CityError
from grids import trace
from grids.acts.case import Case
from grids.tables import Incident, Trace

pytestmark = [pytest.mark.database, pytest.mark.timeout(4 * 3600)]

MANY = 16
ROUNDS, ALL_ROUNDS = 60, 5_000
OF_ONE_CASE = 6
SAID: dict[tuple[str, str], dict[str, Any]] = {
    ("incident", "accept"): {"level": 3},
    ("incident", "regrade"): {"grade": "orange"},
    ("incident", "callback"): {"reached": True, "happy": True},
    ("incident", "dispute"): {"lead": None, "also": ()},
    ("whistle", "submit"): {"called": {"SCJG": True, "CG": False, "GA": False}, "emergency": True},
    ("whistle", "change_departments"): {"called": {"SCJG": True, "CG": False, "JJ": False}},
    ("task", "return"): {"granted": True, "hand_to": "STHJ", "lead": None},
    ("task", "nudge"): {"kind": "remind"},
}
LEFT_OUT = {"merge", "cancel", "reject", "place", "inspect", "answer_slip", "ledger", "close_ledger"}


class Race:
    """One case after the other, each set upon by sixteen commands at a time."""

    def __init__(self, engine: Engine, parts: Any, chance: random.Random) -> None:
        self.engine, self.drive, self.chance = engine, parts("drive"), chance
        self.replay = parts("replay")
        self.rows = self.drive.table_rows()
        with Session(engine, expire_on_commit=False) as session:
            self.people = self.drive.people_of(session)
            session.commit()
        self.accepted = self.refused = self.rounds = self.cases = 0
        self.anomalies: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()

    def new_case(self) -> Any:
        """Bring a case to a whistle that its main leader is to confirm."""
        with Session(self.engine, expire_on_commit=False) as session:
            real = self.drive.Real(session, self.people, self.drive.BEGIN)
            real.report("hotline", category="10-001", citizen=False, inside=True, reporter=True)
            real.do("centre", ("incident", "accept"), "case", {"level": 3})
            real.seen()
            real.do("office", ("whistle", "submit"), "W1", SAID["whistle", "submit"])
            if self.chance.random() < 0.6:
                real.do("town", ("whistle", "confirm"), "W1", {})
            real.seen()
            session.commit()
        self.cases += 1
        return real

    def commands(self, states: dict[str, str]) -> list[tuple[str, tuple[str, str], str]]:
        """Return sixteen acts that the tables allow now, each by somebody who may."""
        machines = {"c": "incident", "W": "whistle", "T": "task", "D": "dispute"}
        offers = []
        for name, state in states.items():
            at = 3 if name[0] == "W" else None
            for machine, act, level, sources, _, roles in self.rows:
                if machine != machines[name[0]] or state.split(",")[0] not in sources or act in LEFT_OUT:
                    continue
                if machine == "dispute" or (machine, act) not in self.drive.ACTS or level not in (None, at):
                    continue
                doers = [one for one in self.people.values() if one.role in roles]
                offers += [(one.name, (machine, act), name) for one in doers if self.near(one, name)]
        return [self.chance.choice(offers) for _ in range(MANY)] if offers else []

    def near(self, person: Any, name: str) -> bool:
        if person.area_code:
            return "990101001001001".startswith(person.area_code)
        return name[0] != "T" or self.owners.get(name) == person.department_id

    def round(self, real: Any) -> bool:
        """Let sixteen act at once, then hold what was written against the tables; False where nobody can act."""
        with Session(self.engine) as session:
            real.session = session
            states, _, _ = real.seen()
            rows = session.execute(
                text("select id, department_id from task where incident_id = :i"), {"i": real.id}
            )
            held = {row.id: row.department_id for row in rows}
            self.owners = {name: held.get(key) for name, key in real.keys.items() if name[0] == "T"}
        commands = self.commands(states)
        if not commands:
            return False
        start = threading.Barrier(MANY)
        results: list[str] = []

        def run(login: str, act: tuple[str, str], name: str) -> None:
            with Session(self.engine, expire_on_commit=False) as session:
                own = self.drive.Real(session, self.people, real.now, real.number, real.id, keys=real.keys)
                start.wait()
                try:
                    own.do(login, act, name, SAID.get(act, {}))
                    session.commit()
                    results.append("")
                except CityError as refused:
                    results.append(f"{type(refused).__name__} {refused.code}")
                except Exception as fault:  # the storage, not the rules
                    results.append(f"!{type(fault).__name__}")

        threads = [threading.Thread(target=run, args=one) for one in commands]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == MANY
        self.rounds += 1
        self.accepted += results.count("")
        self.refused += sum(bool(one) and one[0] != "!" for one in results)
        self.codes.update(one for one in results if one and one[0] != "!")
        self.anomalies.update(one for one in results if one[:1] == "!")
        self.check(real.id)
        return True

    def check(self, incident_id: int) -> None:
        """Count what is wrong with the history of a case."""
        with Session(self.engine) as session:
            steps = session.scalars(
                select(Trace).where(Trace.incident_id == incident_id).order_by(Trace.seq)
            ).all()
            for step in steps:
                if not self.legal(step):
                    self.anomalies[f"no row for {step.machine}.{step.action}"] += 1
            try:
                self.replay.check(session, incident_id)
            except self.replay.Broken:
                self.anomalies["history and rows differ"] += 1
            if trace.first_broken(session, session.get_one(Incident, incident_id)) is not None:
                self.anomalies["chain broken"] += 1
            twice = session.execute(
                text(
                    "select count(*) from (select kind, whistle_id, task_id from deadline where incident_id = :i "
                    "and settled_at is null group by 1, 2, 3 having count(*) > 1) as twice"
                ),
                {"i": incident_id},
            ).scalar_one()
            if twice:
                self.anomalies["a clock runs twice"] += 1

    def legal(self, step: Trace) -> bool:
        """Say whether a row of the tables leads from where the step began to where it ended."""
        if step.from_state == step.to_state and step.machine == "incident":
            return True  # a note: no state changed
        return any(
            (machine, act) == (step.machine, step.action)
            and (step.from_state in sources if step.from_state else not sources)
            and (target or step.from_state) == step.to_state
            for machine, act, _, sources, target, _ in self.rows
        )

    def rounds_of(self, wanted: int) -> None:
        """Do so many rounds."""
        while self.rounds < wanted:
            real = self.new_case()
            for _ in range(min(OF_ONE_CASE, wanted - self.rounds)):
                if not self.round(real):
                    break


def test_conflicting_acts_leave_one_history(city_engine: Any, parts: Any, soak: bool, publish: Any) -> None:
    race = Race(city_engine, parts, random.Random(20260603))

    race.rounds_of(ALL_ROUNDS if soak else ROUNDS)

    assert not race.anomalies, race.anomalies
    assert race.accepted > race.rounds // 2
    assert race.refused > race.rounds
    kinds = Counter(code.split()[0] for code in race.codes.elements())
    publish(
        "C3",
        rounds=race.rounds,
        commands=race.rounds * MANY,
        accepted=race.accepted,
        refused=race.refused,
        refused_by=dict(kinds.most_common()),
        cases=race.cases,
        anomalies=0,
    )
    with Session(city_engine) as session:
        rows = sum(
            parts("replay").check(session, one)
            for one in session.scalars(select(Incident.id).where(Incident.trace_seq > 0))
        )
    publish("C4-races", cases=race.cases, rows=rows, differ=0)


def test_without_the_lock_on_the_case_the_same_count_finds_it(
    city_engine: Any, parts: Any, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    race = Race(city_engine, parts, random.Random(7))
    locked = Case._lock.__func__  # type: ignore[attr-defined]

    class Unlocked(Session):
        def scalar(self, statement: Any, *args: Any, **more: Any) -> Any:
            if getattr(statement, "_for_update_arg", None) is not None:
                statement._for_update_arg = None
            return super().scalar(statement, *args, **more)

    def lock(cls: Any, session: Session, actor: Any, now: Any, condition: Any, what: str) -> Case:
        session.__class__ = Unlocked
        return locked(cls, session, actor, now, condition, what)  # type: ignore[no-any-return]

    monkeypatch.setattr(Case, "_lock", classmethod(lock))

    race.rounds_of(5)

    assert race.anomalies
    publish("C3-control", rounds=race.rounds, commands=race.rounds * MANY, anomalies=race.anomalies.total())
