"""The people of a made-up city: who holds which post, and which of them can be logged in as.

Some cells have no grid worker and some workers look after two cells, as in life; one community's grid leader
is off duty, so that its whistles climb at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from grids.demo.bodies import Body
from grids.demo.copying import reserve, write
from grids.demo.ground import Ground
from grids.demo.names import CENTRE_STREET, mobile, people_names
from grids.demo.scales import Size
from grids.directory import LOCAL_POSTS, answering
from grids.rules.levels import GridLevel
from grids.rules.permissions import Actor, Role
from grids.tables import Person, Post

__all__ = ["DemoLogin", "Staff", "hire"]

_BUILDERS = 4  # one cell in so many has a building leader

_TOWN_POSTS = (
    (Role.TOWN_GRID_CENTRE, "网格化服务管理中心调度员"),
    (Role.TOWN_OFFICE, "综合行政执法办公室"),
    (Role.TOWN_OFFICE, "社会治理办公室"),
    (Role.TOWN_LEADER, "主要负责人"),
)
_DISTRICT_POSTS = (
    (Role.HOTLINE_DESK, "12345热线坐席"),
    (Role.CALLBACK_OFFICER, "热线回访员"),
    (Role.DISTRICT_PLATFORM, "区级平台值班长"),
    (Role.DISTRICT_LEADER, "分管负责人"),
    (Role.GOVERNANCE_CENTRE, "社会治理服务中心"),
    (Role.AUDITOR, "审计员"),
    (Role.ADMINISTRATOR, "系统管理员"),
)
_LOGINS = {
    Role.GRID_WORKER: "worker",
    Role.BUILDING_LEADER: "builder",
    Role.GRID_LEADER: "leader",
    Role.TOWN_GRID_CENTRE: "centre",
    Role.TOWN_OFFICE: "office",
    Role.TOWN_LEADER: "town",
    Role.HOTLINE_DESK: "hotline",
    Role.CALLBACK_OFFICER: "callback",
    Role.DISTRICT_PLATFORM: "platform",
    Role.DISTRICT_LEADER: "district",
    Role.GOVERNANCE_CENTRE: "governance",
    Role.AUDITOR: "audit",
    Role.ADMINISTRATOR: "admin",
}
_NO_DUTY = frozenset({"TOWN", "PMC"})  # the town and property managers are informed, not whistled


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """One person whom a visitor may log in as; departments have their code in `department`."""

    role: Role
    login: str
    name: str
    unit: str
    department: str | None = None


@dataclass
class Staff:
    """Who holds which post, as they stand in histories: by role and place.

    cell, community, town, street : the places of the people with logins, all in one street office.
    vacant : the community whose grid leader is off duty. titles : of the first post that somebody keeps, by person.
    """

    cell: str = ""
    community: str = ""
    town: str = ""
    vacant: str = ""
    holders: dict[tuple[Role, str], list[Actor]] = field(default_factory=dict)
    duty: dict[tuple[str, str], Actor] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    logins: list[DemoLogin] = field(default_factory=list)
    workers: int = 0
    party_members: int = 0
    people: int = 0
    _answering: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def at(self, role: Role, code: str) -> Actor | None:
        """Return the first person on duty in a role at exactly this place."""
        found = self.holders.get((role, code))
        return found[0] if found else None

    def one(self, role: Role, code: str) -> Actor:
        """Return who holds a role that is never empty: those of towns and districts."""
        return self.holders[role, code][0]

    def department(self, district: str, code: str) -> Actor:
        """Return a department's person on duty."""
        return self.duty[district, code]

    def answering(self, cell: str) -> list[dict[str, Any]]:
        """Return who answers for a cell, as `grids.directory.responsible_people` does."""
        known = self._answering.get(cell)
        if known is None:
            known = self._answering[cell] = answering(cell, self._named(cell))
        return known

    def _named(self, cell: str) -> dict[tuple[Role, str], list[tuple[int | None, str]]]:
        return {
            (role, area): [(actor.person_id, actor.name) for actor in self.holders.get((role, area), ())]
            for role in LOCAL_POSTS
            for area in (cell, cell[:12], cell[:9])
        }


@dataclass
class _Register:
    """Rows of people and posts while they are being made."""

    names: list[str]
    ids: list[int]
    password_hash: str
    units: Mapping[str, str]
    staff: Staff
    people: dict[int, dict[str, Any]] = field(default_factory=dict)
    posts: list[dict[str, Any]] = field(default_factory=list)

    def person(self, login: str, *, party: bool = False, demo: bool = False) -> int:
        """Add a person; return their id."""
        number = len(self.people)
        person_id = self.ids[number]
        self.people[person_id] = {
            "id": person_id,
            "login": login,
            "name": self.names[number],
            "phone": mobile(20_000_000 + number),
            "party_member": party,
            "password_hash": self.password_hash if demo else None,
            "failed_logins": 0,
        }
        return person_id

    def post(
        self,
        person_id: int,
        role: Role,
        title: str,
        *,
        area: str | None = None,
        body: Body | None = None,
        on_duty: bool = True,
    ) -> Actor:
        """Put a person into a post."""
        self.posts.append(
            {
                "person_id": person_id,
                "role": role,
                "area_code": area,
                "department_id": body.id if body else None,
                "title": title,
                "on_duty": on_duty,
            }
        )
        unit = body.name if body else self.units[area or ""]
        name = self.people[person_id]["name"]
        actor = Actor(person_id, name, role, unit, area, body.id if body else None)
        if on_duty:
            self.staff.titles.setdefault(person_id, title)
        if on_duty and area is not None:
            self.staff.holders.setdefault((role, area), []).append(actor)
        return actor

    def login(self, actor: Actor, login: str, department: str | None = None) -> None:
        """List somebody whom a visitor may log in as."""
        self.staff.logins.append(DemoLogin(actor.role, login, actor.name, actor.unit, department))


def hire(
    session: Session,
    ground: Ground,
    bodies: Mapping[tuple[str, str], Body],
    size: Size,
    random: np.random.Generator,
    *,
    password_hash: str,
) -> Staff:
    """Write people and their posts; return who holds which."""
    names = dict(zip(ground.areas["code"], ground.areas["name"], strict=True))
    staff = Staff()
    staff.town = next(c for c, n in names.items() if n == f"{CENTRE_STREET}街道")
    staff.community = next(c for c, n in names.items() if n == f"{CENTRE_STREET}社区")
    cells = ground.of(GridLevel.BUILDING_GROUP)["code"].tolist()
    staff.cell = [code for code in cells if code.startswith(staff.community)][-1]
    outside = ground.of(GridLevel.COMMUNITY)
    outside = outside[~outside["urban"] & outside["code"].str.startswith(staff.town[:6])]
    staff.vacant = str(outside["code"].iloc[len(outside) // 2])
    most = len(names) * 3 + len(bodies)
    register = _Register(
        people_names(most, random), reserve(session, Person, most), password_hash, names, staff
    )
    for district in ground.of(GridLevel.DISTRICT)["code"]:
        own = [code for code in cells if code.startswith(district)]
        _cell_people(register, own, size, random)
        _community_people(register, sorted({code[:12] for code in own}))
        _town_people(register, sorted({code[:9] for code in own}))
        _district_people(register, district, bodies)
    write(session, Person, list(register.people.values()))
    write(session, Post, register.posts)
    staff.people = len(register.people)
    order = [*_LOGINS, Role.DEPARTMENT_DUTY]
    staff.logins.sort(key=lambda known: (order.index(known.role), known.login))
    return staff


def _cell_people(register: _Register, cells: list[str], size: Size, random: np.random.Generator) -> None:
    staff = register.staff
    short = len(cells) - size.workers
    twice = _shared_cells(cells, short // 3, staff.cell, random)
    free = [code for code in cells if code not in twice and code not in twice.values() and code != staff.cell]
    empty = set(random.choice(free, short - len(twice), replace=False).tolist())
    staffed = [code for code in cells if code not in empty and code not in twice]
    party = np.zeros(len(staffed), dtype=bool)
    party[random.permutation(len(staffed))[: size.party_members]] = True
    worker_of: dict[str, int] = {}
    for code, member in zip(staffed, party.tolist(), strict=True):
        demo = code == staff.cell
        worker_of[code] = register.person("worker" if demo else f"w{code}", party=member, demo=demo)
    staff.workers += len(staffed)
    staff.party_members += int(party.sum())
    for code in cells:
        worker = worker_of.get(twice.get(code, code))
        if worker is not None:
            actor = register.post(worker, Role.GRID_WORKER, "网格员", area=code)
            if code == staff.cell:
                register.login(actor, "worker")
    for code in sorted({*cells[::_BUILDERS], *([staff.cell] if staff.cell in cells else [])}):
        demo = code == staff.cell
        login = _LOGINS[Role.BUILDING_LEADER] if demo else f"b{code}"
        builder = register.person(login, demo=demo)
        actor = register.post(builder, Role.BUILDING_LEADER, "楼栋长", area=code)
        if demo:
            register.login(actor, login)


def _shared_cells(cells: list[str], count: int, kept: str, random: np.random.Generator) -> dict[str, str]:
    """Return cells without a worker of their own, with the cell of the same community that lends theirs."""
    shared: dict[str, str] = {}
    taken: set[str] = set()
    for place in random.permutation(len(cells) - 1).tolist():
        lender, code = cells[place], cells[place + 1]
        if len(shared) == count:
            break
        if lender[:12] == code[:12] and code != kept and not {lender, code} & taken:
            shared[code] = lender
            taken |= {lender, code}
    return shared


def _community_people(register: _Register, communities: list[str]) -> None:
    staff = register.staff
    for code in communities:
        demo = code == staff.community
        login = _LOGINS[Role.GRID_LEADER] if demo else f"l{code}"
        leader = register.person(login, party=True, demo=demo)
        away = code == staff.vacant
        title = "网格长(休假,无人代理)" if away else "网格长"
        actor = register.post(leader, Role.GRID_LEADER, title, area=code, on_duty=not away)
        if demo:
            register.login(actor, login)


def _town_people(register: _Register, towns: list[str]) -> None:
    staff = register.staff
    for code in towns:
        used: set[str] = set()
        for number, (role, title) in enumerate(_TOWN_POSTS):
            login = _LOGINS[role]
            demo = code == staff.town and login not in used
            used.add(login)
            person = register.person(login if demo else f"t{code}{number}", demo=demo)
            actor = register.post(person, role, title, area=code)
            if demo:
                register.login(actor, login)


def _district_people(register: _Register, district: str, bodies: Mapping[tuple[str, str], Body]) -> None:
    staff = register.staff
    demo = staff.town.startswith(district)
    for number, (role, title) in enumerate(_DISTRICT_POSTS):
        login = _LOGINS[role] if demo else f"d{district}{number}"
        actor = register.post(register.person(login, demo=demo), role, title, area=district)
        if demo:
            register.login(actor, login)
    for (where, code), body in bodies.items():
        if where != district or code in _NO_DUTY:
            continue
        login = code.lower() if demo else f"{code.lower()}{district}"
        actor = register.post(register.person(login, demo=demo), Role.DEPARTMENT_DUTY, "值班员", body=body)
        staff.duty[district, code] = actor
        if demo:
            register.login(actor, login, code)
