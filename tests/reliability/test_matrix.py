"""Every act in every state by everybody: what the tables do not allow is refused, and refusing writes nothing.

The states are those that cases come to when they are driven at random; wherever a thing stands in a state that was
not seen yet, all of its acts are tried there by every role, each in a transaction that is undone.
"""

from __future__ import annotations

import importlib.util
import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text

from gis.errors import CityError, Conflict, Forbidden, NotFound
from grids.rules.disputes import DISPUTE
from grids.rules.lifecycle import INCIDENT
from grids.rules.permissions import Role
from grids.rules.tasks import TASK
from grids.rules.whistles import WHISTLE

pytestmark = [pytest.mark.database, pytest.mark.timeout(3600)]

MACHINES = {one.name: one for one in (INCIDENT, WHISTLE, TASK, DISPUTE)}
# passed through within one act, so that nobody finds a thing there: the tables alone say what is allowed
PASSED = {
    ("incident", None, "accepted"),
    ("whistle", 3, "completed"),
    ("dispute", None, "decided"),
}
SAID: dict[tuple[str, str], dict[str, Any]] = {
    ("incident", "place"): {"cell": "990101001001001"},
    ("incident", "inspect"): {"found": "exist"},
    ("incident", "accept"): {"level": None},
    ("incident", "regrade"): {"grade": "orange"},
    ("incident", "callback"): {"reached": True, "happy": True},
    ("whistle", "submit"): {"called": {"SCJG": True, "CG": False}, "emergency": False},
    ("whistle", "change_departments"): {"called": {"SCJG": True, "JJ": False}},
    ("task", "return"): {"granted": False, "hand_to": None, "lead": None},
    ("task", "nudge"): {"kind": "remind"},
    ("dispute", "state_position"): {"lead": None},
    ("dispute", "coordinate"): {"lead": None},
    ("dispute", "give_opinion"): {"lead": "SCJG"},
    ("dispute", "meet"): {"lead": None},
    ("dispute", "sign_off"): {"sign": "bianban"},
    ("dispute", "agree"): {"lead": "SCJG", "others": ()},
    ("dispute", "decide"): {"lead": "SCJG", "others": ()},
}
# one of each role, a department that holds a part in most cases and one that does not, and the town next door
PEOPLE = [
    "worker",
    "house",
    "leader",
    "office",
    "centre",
    "town",
    "hotline",
    "callback",
    "platform",
    "district",
    "governance",
    "auditor",
    "scjg",
    "jj",
    "sibling",
]
_numbers = count(1)


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _states(machine: str) -> set[tuple[str, int | None, str]]:
    """Return every state of a machine that the tables know, by level."""
    found: set[tuple[str, int | None, str]] = set()
    for row in MACHINES[machine].transitions:
        for state in (*row.sources, *([row.target] if row.target else [])):
            found.add((machine, row.level, str(state)))
    return found


class Matrix:
    """The cells of one machine: tried, refused, allowed."""

    def __init__(self, machine: str, drive: Any, one_of: int = 1) -> None:
        self.machine, self.drive, self.one_of = machine, drive, one_of
        self.possible = 0
        self.wanted = _states(machine) - PASSED
        self.seen: set[tuple[str, int | None, str]] = set()
        self.refused = self.allowed = self.guarded = 0
        self.wrong: list[str] = []
        self.guards: Counter[str] = Counter()

    @property
    def cells(self) -> int:
        return self.refused + self.allowed + self.guarded

    def look(self, pair: Any) -> None:
        """Try everything on each thing of the case that stands where none was tried before."""
        case = pair.case
        things = {
            "incident": [("case", None, case.state)],
            "whistle": [(one.name, one.level, one.state) for one in case.whistles],
            "task": [(one.name, None, one.state) for one in case.tasks],
            "dispute": [(one.name, None, one.state) for one in case.disputes],
        }[self.machine]
        for name, level, state in things:
            place = (self.machine, level, state)
            if place in self.wanted and place not in self.seen:
                self.seen.add(place)
                self.try_all(pair.real, name, level, state)

    def try_all(self, real: Any, name: str, level: int | None, state: str) -> None:
        before = self.rows(real)
        for act in sorted(one for machine, one in self.drive.ACTS if machine == self.machine):
            if (self.machine, act) in (("incident", "dispute"), ("incident", "answer_slip")):
                continue  # of other machines
            for login in PEOPLE:
                self.try_one(real, name, level, state, act, login, real.people[login].role)
        assert self.rows(real) == before, f"an act that was refused on a {self.machine} in {state} wrote"

    def try_one(
        self, real: Any, name: str, level: int | None, state: str, act: str, login: str, role: Role
    ) -> None:
        rows = [row for row in MACHINES[self.machine].rows(act, level) if state in row.sources]
        if (self.machine, act, state) == ("whistle", "verify", "in_progress"):
            rows = list(WHISTLE.rows("verify", level))  # the parts are done: two steps at once
        may = any(role in row.roles for row in rows)
        self.possible += 1
        if not may and self.possible % self.one_of:
            return
        where = f"{self.machine}.{act} in {state} by {login}"
        with real.session.begin_nested() as inner:
            try:
                real.do(login, (self.machine, act), name, SAID.get((self.machine, act), {}))
            except CityError as refused:
                if may:
                    self.guarded += 1
                    self.guards[refused.code] += 1
                else:
                    self.refused += 1
                    if not isinstance(refused, Conflict | Forbidden | NotFound):
                        self.wrong.append(f"{where}: {type(refused).__name__} {refused.code}")
            except Exception as fault:
                self.wrong.append(f"{where}: {type(fault).__name__} {fault}")
            else:
                self.allowed += 1
                if not may:
                    self.wrong.append(f"{where}: done, and no row allows it")
            inner.rollback()

    def rows(self, real: Any) -> tuple[Any, ...]:
        """Return how many rows there are of everything that an act may write, and the head of the history."""
        real.session.flush()
        tables = (
            "incident whistle task dispute dispute_step deadline trace message suspension extension "
            "return_request attendance joint_action score peer_score appraisal appeal slip callback ledger_item"
        )
        counts = ", ".join(f"(select count(*) from {name})" for name in tables.split())
        query = f"select trace_seq, trace_hash, {counts} from incident where id = :i"
        return tuple(real.session.execute(text(query), {"i": real.id}).one())


def test_every_act_in_every_state_by_every_role_is_done_or_refused_by_name(
    city_engine: Any, parts: Any, publish: Any, soak: bool
) -> None:
    driver = _load("test_model")
    # every cell that a table allows, and of the others one in ten; all of them where there is time
    matrices = [Matrix(machine, parts("drive"), one_of=1 if soak else 10) for machine in MACHINES]
    runner, usual = driver.Run(city_engine, parts), driver.AWAY

    def look(pair: Any) -> None:  # the cases are driven once for all four machines
        for matrix in matrices:
            matrix.look(pair)

    often = dict.fromkeys(
        ("cancel", "merge", "reject", "withdraw", "suspend", "ledger", "request_return"), 2.0
    )
    for number in range(150):
        if all(matrix.seen >= matrix.wanted for matrix in matrices):
            break
        chance = random.Random(number)
        driver.AWAY = {**usual, **often} if number % 2 else usual  # half of the cases end early
        runner.play([chance.randrange(2**32) for _ in range(driver.STEPS)], look)

    for matrix in matrices:
        assert matrix.seen == matrix.wanted, sorted(map(str, matrix.wanted - matrix.seen))
        assert not matrix.wrong, matrix.wrong[:10]
        _publish(publish, matrix, parts)


def _publish(publish: Any, matrix: Matrix, parts: Any) -> None:
    acts = {act for name, act in parts("drive").ACTS if name == matrix.machine}
    publish(
        f"C2-{matrix.machine}",
        states=len(matrix.seen),
        states_possible=len(matrix.wanted),
        passed_through=sum(one[0] == matrix.machine for one in PASSED),
        acts=len(acts),
        cells=matrix.cells,
        cells_possible=matrix.possible,
        refused=matrix.refused,
        refused_by_a_guard=matrix.guarded,
        done=matrix.allowed,
        wrong=0,
    )


def test_a_use_case_that_does_not_ask_its_table_is_found(
    city_engine: Any, parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = _load("test_model")
    matrix = Matrix("whistle", parts("drive"))
    matrix.wanted = {("whistle", 1, "blown")}
    answer = parts("drive").ACTS["whistle", "answer"]

    def anybody(real: Any, key: Any, said: Any, by: Any) -> object:
        return answer(real, key, said, {**by, "by": real.people["leader"]})

    monkeypatch.setitem(parts("drive").ACTS, ("whistle", "answer"), anybody)
    runner = driver.Run(city_engine, parts)
    for number in range(20):
        chance = random.Random(number)
        try:
            runner.play([chance.randrange(2**32) for _ in range(5)], matrix.look)
        except driver.Diverged:
            continue  # the model finds it too
        if matrix.seen:
            break

    assert any("whistle.answer in blown" in one for one in matrix.wrong)


@pytest.fixture
def city(http: Any, cluster: Any, city_template: str, worker_id: str, clock: Any) -> Iterator[Any]:
    """A city of its own for one test."""
    with http.open_city(cluster, city_template, f"matrix_{worker_id}_{next(_numbers)}", clock) as opened:
        yield opened


def test_over_http_a_stranger_is_not_known_and_nobody_acts_out_of_role(city: Any, publish: Any) -> None:
    number = city.report()
    city.act("centre", f"incidents/{number}/accept", {"level": 3})
    whistle = city.whistle(number, 3)
    known = {"number": number, "task_id": "1"}
    before = city.count("incident", "whistle", "task", "trace", "deadline", "message")
    tried = 0
    routes = {
        path
        for path, methods in city.app.openapi()["paths"].items()
        if "post" in methods and re.match(r"/api/(incidents|whistles|tasks|disputes)/\{", path)
    }
    assert len(routes) > 50
    for path in sorted(routes):
        key = whistle if path.startswith("/api/whistles") else known["number"]
        key = "1" if path.startswith("/api/tasks") else key
        address = re.sub(r"\{[^}]*\}", key, path)
        unknown = city.stranger().post(address, json={})
        assert unknown.status_code == 401, f"{path}: {unknown.status_code}"
        refused = city.as_("auditor").post(address, json={})
        assert 400 <= refused.status_code < 500, f"{path}: {refused.status_code} {refused.text}"
        for answer in (unknown, refused):
            assert answer.headers["content-type"].startswith("application/problem+json"), path
        tried += 1

    assert city.count("incident", "whistle", "task", "trace", "deadline", "message") == before
    publish("C2-http", routes=tried, unknown_401=tried, refused_4xx=tried)
