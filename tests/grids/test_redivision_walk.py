"""A city at work while its grid is drawn anew again and again, at random: what must hold, holds after each step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from gis.errors import CityError
from grids import deadlines, measures, trace
from grids.acts import callbacks, incidents, whistles
from grids.acts.callbacks import CallbackAnswer
from grids.acts.incidents import Report
from grids.acts.joint import Draft, blow
from grids.ground import drafts, editions, succession
from grids.ground.redraw import Operation
from grids.measures import HotspotMetric, ResponseMetric, Window
from grids.rules.calendar import local_day
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import Channel
from grids.rules.permissions import Scope
from grids.rules.whistles import WhistleLevel
from grids.tables import (
    IS_OPEN,
    Deadline,
    Edition,
    EditionStatus,
    Grid,
    Incident,
    OpenCases,
    Placement,
    Solved,
    Whistle,
)

pytestmark = pytest.mark.database

STEPS = 100
EAST = 117.06
ALL = Scope(everything=True)
PASSED_ON = ("escalated", "returned_to_community", "refused", "withdrawn")
BY_POINT = (Placement.INSIDE, Placement.BORDER)
LEVELS = (GridLevel.DISTRICT, GridLevel.TOWN, GridLevel.COMMUNITY, GridLevel.BUILDING_GROUP)


@dataclass
class Walk:
    """The city, chance, and what was seen so far."""

    city: Any
    random: Random
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    retired: set[str] = field(default_factory=set)

    @property
    def session(self):
        return self.city.session

    @property
    def now(self):
        return self.city.clock()

    def tried(self, name, act):
        try:
            with self.session.begin_nested():
                made = act()
            self.done[name] += 1
            return made
        except CityError as error:
            self.session.expire_all()
            self.refused[f"{name}: {error.code}"] += 1
            return None

    def step(self):
        kinds = {
            self.report: 6, self.act: 8, self.wait: 4, self.begin: 2, self.draw: 6, self.publish: 4, self.bring_some: 2,
        }  # fmt: skip
        (kind,) = self.random.choices(list(kinds), kinds.values())
        kind()

    # -- the city at work

    def report(self):
        lon = self.random.uniform(117.0, EAST) if self.random.random() < 0.95 else 117.08
        said = Report(
            Channel.HOTLINE, lon, 36.01, "CGCS2000", "积水", category=self.random.choice(["10-001", "07-001"]),
            reporter_name="王某", reporter_phone="13812345678",
        )  # fmt: skip
        incident = self.tried(
            "report", lambda: incidents.report(self.session, said, by=self.city["hotline"], now=self.now)
        )
        if incident is not None and incident.placement is Placement.BORDER and self.random.random() < 0.5:
            incident.placement = Placement.CONFIRMED  # as if the reporter had said so
            self.session.flush()

    def actor(self, login, area):
        return replace(self.city[login], area_code=area)

    def act(self):
        known = self.session.scalars(select(Incident).order_by(Incident.id)).all()
        if not known:
            return
        one = self.random.choice(known)
        town, community = one.grid_code[:9], one.grid_code[:12]
        centre, leader = self.actor("centre", town), self.actor("leader", community)
        hands = [leader, centre, self.actor("office", town)]
        told = {"session": self.session, "now": self.now}
        running = [
            whistle
            for level in WhistleLevel
            if (whistle := self.city.whistle(one, level)) and whistle.round == one.round
        ]
        last = running[-1].number if running else "none"
        first = running[0].number if running else "none"
        cells = [code for code in self.codes(self.in_force()) if len(code) == 15]
        acts = {
            "accept": lambda: incidents.accept(
                number=one.number, by=centre, reason="重", level=self.random.choice(list(WhistleLevel)), **told
            ),
            "answer": lambda: whistles.answer(number=first, by=leader, **told),
            "escalate": lambda: whistles.escalate(
                number=last, reason="做不了", by=self.random.choice(hands), **told
            ),
            "solve": lambda: whistles.solve(
                number=last, result="好了", by=self.random.choice(hands), **told
            ),
            "third": lambda: blow(
                incident_number=one.number, level=WhistleLevel.THIRD, draft=Draft(reason="多部门"), by=centre, **told
            ),
            "place": lambda: incidents.place(
                number=one.number, code=self.random.choice(cells), by=self.city["hotline"], **told
            ),
            "verify": lambda: incidents.verify(
                number=one.number, passed=self.random.random() < 0.7, comment="看过", **told,
                by=self.actor("office", town),
            ),
            "callback": lambda: callbacks.callback(
                number=one.number, by=self.city["callback"], **told,
                answer=CallbackAnswer(True, self.random.choice(list(Solved)), self.random.choice([1, 5])),
            ),
            "reopen": lambda: callbacks.reopen(
                number=one.number, reason="又来了", by=self.city["platform"], **told
            ),
        }  # fmt: skip
        wanted = {"reported": ["accept", "place"], "resolved": ["verify"], "verified": ["callback"]}
        name = self.random.choice(
            wanted.get(one.status.value, ["answer", "escalate", "solve", "third", "reopen"])
        )
        self.tried(name, acts[name])

    def wait(self):
        self.city.clock.advance(hours=self.random.choice([1, 5, 24, 60]))
        while deadlines.fire_due(self.session, self.now).fired:
            self.done["fire"] += 1
        self.bring_all()

    # -- its grid drawn anew

    def latest(self):
        return self.session.scalars(
            select(Edition)
            .where(Edition.status == EditionStatus.PUBLISHED, Edition.effective_to.is_(None))
            .order_by(Edition.id)
        ).one()

    def in_force(self):
        day = local_day(self.now)
        return self.session.scalars(
            select(Edition).where(
                Edition.status != EditionStatus.DRAFT,
                Edition.effective_from <= day,
                Edition.effective_to.is_(None) | (Edition.effective_to > day),
            )
        ).one()

    def open_drafts(self):
        return self.session.scalars(select(Edition).where(Edition.status == EditionStatus.DRAFT)).all()

    def codes(self, edition):
        return set(self.session.scalars(select(Grid.code).where(Grid.edition_id == edition.id)))

    def begin(self):
        base = self.random.choice([*[self.latest()] * 4, *self.open_drafts()])
        day = max(self.latest().effective_from, local_day(self.now))
        day += timedelta(days=self.random.choice([-1, 0, 0, 0, 0, 1, 3]))
        self.tried(
            "begin",
            lambda: drafts.begin(
                self.session, base.id, name=None, effective_from=day, by="drawer", now=self.now
            ),
        )

    def draw(self):
        draft = next(iter(self.open_drafts()[::-1]), None)
        if draft is None:
            return self.begin()
        if self.random.random() < 0.1:
            self.tried("undo", lambda: drafts.undo(self.session, draft.id))
            return None
        areas = editions.areas_of(self.session, draft.id)
        level = self.random.choice(["building_group"] * 4 + ["community"])
        cells = areas[areas["level"] == level]
        cells = cells.assign(west=cells.bounds["minx"]).sort_values("west").reset_index(drop=True)
        at = self.random.randrange(len(cells))
        one, other = cells.iloc[at], cells.iloc[(at + 1) % len(cells)]
        west, _, east, _ = one.geometry.bounds
        cut = self.random.uniform(west, east)
        told = self.random.choice(
            [
                {"kind": "split", "code": one.code, "line": [[cut, 35.999], [cut, 36.021]]},
                {"kind": "split", "code": one.code, "line": [[cut, 35.999], [cut, 36.021]]},
                {"kind": "merge", "codes": [one.code, other.code]},
                {
                    "kind": "move_edge",
                    "codes": [one.code, other.code],
                    "line": _bent(one, other, self.random),
                },
                {"kind": "reassign", "code": one.code, "to_parent": other.parent_code},
            ]
        )
        operation = Operation.from_json(told)
        self.tried(
            told["kind"],
            lambda: drafts.operate(self.session, draft.id, operation, by="drawer", now=self.now),
        )
        return None

    def publish(self):
        draft = next(iter(self.open_drafts()[::-1]), None)
        if draft is None:
            return
        before = self.latest()
        chosen = self.random.choice(list(OpenCases))
        marks = self.marks()
        if self.tried(
            "publish",
            lambda: editions.publish(self.session, draft.id, by="decider", now=self.now, open_cases=chosen),
        ):
            assert self.codes(draft).isdisjoint(self.retired), "a retired code came back"
            self.retired |= self.codes(before) - self.codes(draft)
            self.done[f"publish to {chosen}"] += 1
        assert self.marks() == marks

    def bring_some(self):
        marks = self.marks()
        brought = succession.bring_over(self.session, self.now, limit=self.random.choice([1, 3]))
        assert not brought.stuck
        assert self.marks() == marks

    def bring_all(self):
        marks = self.marks()
        while (brought := succession.bring_over(self.session, self.now, limit=4)).moved:
            assert not brought.stuck
            self.done["moved"] += brought.moved
        assert self.marks() == marks
        self.check_brought()

    # -- what must hold

    def marks(self):
        """Return what no redivision changes: when things are due, and where they became overdue."""
        self.session.flush()
        cases = select(Incident.id, Incident.due_at, Incident.first_overdue_at, Incident.overdue_grid_code)
        clocks = select(Deadline.id, Deadline.due_at).where(Deadline.kind.in_(("handle", "accept", "verify")))
        return [
            tuple(row)
            for query in (cases.order_by("id"), clocks.order_by("id"))
            for row in self.session.execute(query)
        ]

    def check(self):
        held = func.ST_Covers(Grid.boundary, Incident.point)
        rows = self.session.execute(
            select(Incident, Grid.id, held)
            .outerjoin(Grid, (Grid.edition_id == Incident.edition_id) & (Grid.code == Incident.grid_code))
            .where(IS_OPEN)
        ).all()
        for incident, cell, holds in rows:
            if incident.placement is Placement.OUTSIDE:
                assert (incident.edition_id, cell) == (None, None)
            else:
                assert cell is not None, (incident.number, incident.grid_code, incident.edition_id)
                assert holds or incident.placement not in BY_POINT
            communities = self.session.scalar(
                select(func.count()).select_from(Grid).where(
                    Grid.edition_id == incident.edition_id, Grid.code == incident.grid_code[:12]
                )
            )  # fmt: skip
            assert communities == (incident.placement is not Placement.OUTSIDE)
            for whistle in self.session.scalars(
                select(Whistle).where(Whistle.incident_id == incident.id, Whistle.round == incident.round)
            ):
                if whistle.status.value not in PASSED_ON:
                    assert whistle.area_code == incident.grid_code[: 12 if whistle.level == 1 else 9]

    def check_brought(self):
        edition = self.in_force()
        there = self.codes(edition)
        for incident in self.session.scalars(
            select(Incident).where(IS_OPEN, Incident.placement != Placement.OUTSIDE)
        ):
            if incident.edition_id != edition.id:
                assert edition.open_cases is OpenCases.STAY
                assert incident.grid_code in there

    def check_all(self):
        self.check()
        for incident in self.session.scalars(select(Incident)):
            assert trace.first_broken(self.session, incident) is None
        begun, ended = self.now - timedelta(days=400), self.now + timedelta(hours=1)
        published = self.session.scalars(
            select(Edition.id).where(Edition.status != EditionStatus.DRAFT).order_by(Edition.id)
        ).all()
        for edition in (None, *published):
            window = [Window("990101", level, begun, ended, edition=edition) for level in LEVELS]
            counts = [measures.hotspots(self.session, ALL, one, HotspotMetric.COUNT) for one in window]
            sums = [counted["n"].sum() for counted in counts]
            assert len(set(sums)) == 1, (edition, sums)
            times = [
                measures.responses(self.session, ALL, one, ResponseMetric.HANDLE, now=self.now)["n"].sum()
                for one in window
            ]
            assert len(set(times)) == 1, (edition, times)


def _bent(one, other, random):
    _, _, east, _ = one.geometry.bounds
    aside = random.uniform(-0.002, 0.002)
    return [[east, 36.0], [east + aside, 36.005], [east + aside, 36.015], [east, 36.02]]


@pytest.mark.parametrize("seed", [1, 7, 46])
def test_whatever_becomes_of_the_grid_each_case_has_one_place_and_its_marks(city, seed):
    walk = Walk(city, Random(seed))
    for _ in range(STEPS):
        walk.step()
        walk.check()
        assert city.untold() == []
    walk.bring_all()
    assert city.untold() == []
    walk.check_all()
    assert {"accept", "fire", "publish", "moved"} <= walk.done.keys()
