"""Recurrent problem points of a made-up city, found by the rule itself and treated by its own people.

One district has had them for months: some were treated and stayed quiet, some came back, some wait for a plan. In
the others the rule looked last night for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from geoalchemy2.shape import to_shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.errors import CityError
from grids.demo.drawings import drawing
from grids.demo.people import Staff
from grids.places import acts, campaigns, finding, night, photos
from grids.places.acts import Plan
from grids.places.campaigns import CampaignPlan
from grids.places.membership import HAPPENED, at_place, is_rainy
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.categories import shipped_categories
from grids.rules.curing import QUIET_DAYS
from grids.rules.duplicates import metres_from
from grids.rules.permissions import Actor, Role
from grids.rules.places import LIVE_PLACES, WATCHED_PLACES, PhotoSide, PlaceStatus
from grids.scope import under
from grids.tables import Category, Incident, Place, PlaceIncident, PlaceStep

__all__ = ["tell_of_points"]

_S = PlaceStatus
_FIRST_LOOK = timedelta(days=150)
_SECOND_LOOK = timedelta(days=40)
_CAMPAIGN = timedelta(days=20)  # how long it has run
_TREATED_AT_FIRST = 6
_TRIES = 40

_DEALT_WITH = (
    *("late", "treat", "due", "confirm", "dismiss", "confirm"),
    *("later", "treat", "confirm", "later", "confirm", "dismiss"),
)
_DAYS_LEFT = {"late": -3, "due": 1, "later": 25}

_WHAT = {
    "01-002": ("桥下地势低，雨水箅子被泥沙堵住", "清淤两百米，增设两处雨水箅子，汛前再查一次"),
    "07-001": ("早晚接送和上下班时段无处停车", "装隔离桩，划出临时停车位，高峰时段有人疏导"),
    "02-001": ("收集点小，清运一天只有一次", "换成密闭箱，清运改为一天两次"),
}
_ANYTHING = ("管理不到位，清理后又出现", "定人定时巡查，一周一通报")


def tell_of_points(session: Session, staff: Staff, districts: Iterable[str], now: datetime) -> None:
    """Let the rule find what comes back in a city's year, and its people deal with it until now."""
    main = staff.town[:6]
    _Months(session, staff, main, now).play()
    for district in districts:
        if district != main:
            finding.find(session, district, _last_night(now))
    session.flush()


def _last_night(now: datetime) -> datetime:
    tonight = datetime.combine(local_day(now), time(night.NIGHT_HOUR), SHANGHAI)
    return tonight if tonight < now else tonight - timedelta(days=1)


@dataclass
class _Months:
    """The last months of one district."""

    session: Session
    staff: Staff
    district: str
    now: datetime

    def play(self) -> None:
        first, second = self.now - _FIRST_LOOK, self.now - _SECOND_LOOK
        finding.find(self.session, self.district, first)
        for number, place in enumerate(self._known(_S.SUSPECTED)[:_TREATED_AT_FIRST]):
            self._treat(place, first + timedelta(days=1, minutes=7 * number), photos_too=number < 2)
        self._live(first + timedelta(days=20), second)
        finding.find(self.session, self.district, second)
        self._deal_with(self._known(_S.SUSPECTED), second + timedelta(hours=9))
        begun = self.now - _CAMPAIGN
        self._live(second, begun)
        campaign = self._begin_campaign(begun)
        self._live(begun, _last_night(self.now))
        finding.find(self.session, self.district, _last_night(self.now))
        self._make_up_for_missing()
        if not campaign:
            self._begin_campaign(self.now)

    # -- what people do

    def _deal_with(self, places: Sequence[Place], at: datetime) -> None:
        """Confirm, plan (some are late by now), treat and set aside a dozen; the others wait."""
        today = local_day(self.now)
        for place, what in zip(places, _DEALT_WITH, strict=False):
            by = self._leader(place)
            if what == "dismiss":
                reason = "商户装修期间集中上报，已结束"
                acts.dismiss(self.session, place.number, reason=reason, by=by, now=at)
            elif what == "treat":
                self._treat(place, at, days=24, photos_too=True)
            else:
                acts.confirm(self.session, place.number, note="现场看过，情况属实", by=by, now=at)
            if what in _DAYS_LEFT:
                self._plan(place, today + timedelta(days=_DAYS_LEFT[what]), at + timedelta(days=3))

    def _treat(self, place: Place, at: datetime, *, days: int = 18, photos_too: bool = False) -> None:
        """Confirm a place, plan and finish its treatment within some days."""
        leader, ends = self._leader(place), at + timedelta(days=days)
        acts.confirm(self.session, place.number, note="现场看过，情况属实", by=leader, now=at)
        if photos_too:
            self._photo(place, PhotoSide.BEFORE, "整治前", leader, at + timedelta(hours=1))
        self._plan(place, local_day(ends + timedelta(days=2)), at + timedelta(days=2))
        acts.finish(self.session, place.number, result="已按方案完成，现场验收合格", by=leader, now=ends)
        if photos_too:
            self._photo(place, PhotoSide.AFTER, "整治后", leader, ends + timedelta(hours=1))

    def _plan(self, place: Place, due_on: date, at: datetime) -> None:
        cause, measure = _WHAT.get(place.category_code, _ANYTHING)
        lead = _LEADS[place.category_code]
        wanted = Plan(cause, measure, lead, due_on, ("TOWN",))
        acts.plan(self.session, place.number, wanted, by=self._office(place), now=at)

    def _photo(self, place: Place, side: PhotoSide, note: str, by: Actor, at: datetime) -> None:
        content = drawing(water=is_rainy(place), treated=side is PhotoSide.AFTER)
        photos.add_photo(self.session, place.number, content, side=side, note=note, by=by, now=at)

    def _leader(self, place: Place) -> Actor:
        return self.staff.at(Role.GRID_LEADER, place.grid_code[:12]) or self._office(place)

    def _office(self, place: Place) -> Actor:
        return self.staff.one(Role.TOWN_OFFICE, place.grid_code[:9])

    def _known(self, *statuses: PlaceStatus) -> list[Place]:
        """Return places that stand so: where visitors have their posts first, of each category one before any two."""
        rows = self.session.scalars(
            select(Place)
            .where(under(Place.grid_code, self.district), Place.status.in_(statuses))
            .order_by(Place.id)
        ).all()
        seen: dict[str, int] = {}
        ranked = []
        for place in sorted(
            rows, key=lambda one: (not one.grid_code.startswith(self.staff.town), -one.times)
        ):
            nth = seen[place.category_code] = seen.get(place.category_code, 0) + 1
            ranked.append((nth, not is_rainy(place), place))
        return [place for *_, place in sorted(ranked, key=lambda one: one[:2])]

    # -- what happens meanwhile

    def _live(self, since: datetime, until: datetime) -> None:
        """Let reports bring places back as they are accepted, and cure what stays quiet, week by week."""
        back: list[tuple[datetime, int]] = []
        for place in self._known(*WATCHED_PLACES):
            later = at_place(self.session, place, since=max(since, place.treated_at or since), until=until)
            if later:
                accepted = self.session.scalar(select(Incident.accepted_at).where(Incident.id == later[0].id))
                back.append((accepted or later[0].received_at, later[0].id))
        back.sort()
        week = since
        while week < until:
            week = min(week + timedelta(days=7), until)
            while back and back[0][0] <= week:
                at, incident_id = back.pop(0)
                finding.look_at_report(self.session, self.session.get_one(Incident, incident_id), at)
            night.cure_due(self.session, self.district, week)

    # -- every state has a place to look at

    def _make_up_for_missing(self) -> None:
        """In a small city the rule finds little: people name what is missing, where something happened."""
        ways: dict[PlaceStatus, tuple[int, Callable[[Place, datetime], None]]] = {
            _S.CURED: (QUIET_DAYS + 20, self._cure),
            _S.TREATED: (30, lambda place, at: self._treat(place, at, days=10, photos_too=True)),
            _S.TREATING: (8, self._plan_late),
            _S.CONFIRMED: (4, self._confirm),
            _S.DISMISSED: (4, self._set_aside),
            _S.SUSPECTED: (2, lambda _place, _at: None),
        }
        if not self._known(_S.RETURNED):
            self._bring_one_back()
        for status, (days, way) in ways.items():
            if not self._known(status):
                self._name_one(days, way)

    def _cure(self, place: Place, at: datetime) -> None:
        self._treat(place, at, days=12, photos_too=True)
        night.cure_due(self.session, self.district, at + timedelta(days=12 + QUIET_DAYS, hours=1))

    def _plan_late(self, place: Place, at: datetime) -> None:
        self._confirm(place, at)
        self._plan(place, local_day(self.now) - timedelta(days=1), at + timedelta(hours=2))

    def _confirm(self, place: Place, at: datetime) -> None:
        acts.confirm(self.session, place.number, by=self._leader(place), now=at)

    def _set_aside(self, place: Place, at: datetime) -> None:
        acts.dismiss(
            self.session, place.number, reason="一次性施工造成，已恢复", by=self._leader(place), now=at
        )

    def _name_one(self, days: int, then: Callable[[Place, datetime], None]) -> None:
        """Name a place where something happened so long ago and nothing since, and go on from there."""
        for incident in self._alone(self.now - timedelta(days=days + 5)):
            at = max(self.now - timedelta(days=days), incident.received_at + timedelta(hours=3))
            place = self._name(incident, at)
            if place is None:
                continue
            if at_place(self.session, place, since=at, until=self.now):
                acts.dismiss(self.session, place.number, reason="重复登记", by=self._leader(place), now=at)
                continue
            then(place, at + timedelta(hours=2))
            return

    def _bring_one_back(self) -> None:
        """Name a place between two times at which the same happened, treat it, and let the second bring it back."""
        near: list[Incident] = self._alone(self.now - timedelta(days=10))
        for incident in near:
            for later in near:
                apart = later.received_at - incident.received_at
                same = later.category_code == incident.category_code
                if same and apart > timedelta(days=5) and self._close(incident, later):
                    at = later.received_at - timedelta(days=4)
                    place = self._name(incident, at)
                    if place is not None:
                        self._treat(place, at + timedelta(hours=2), days=3)
                        finding.look_at_report(self.session, later, later.accepted_at or later.received_at)
                        return

    def _close(self, one: Incident, other: Incident) -> bool:
        radius = self.session.get_one(Category, one.category_code).recurrence_radius_m or 0
        east, north = metres_from(*to_shape(one.point).coords[0], *to_shape(other.point).coords[0])
        return east * east + north * north <= radius * radius

    def _alone(self, until: datetime) -> list[Incident]:
        """Return incidents of the visitors' town that belong to no place, the latest before a moment first."""
        return list(
            self.session.scalars(
                select(Incident)
                .join(Category, Category.code == Incident.category_code)
                .where(
                    under(Incident.grid_code, self.staff.town),
                    Incident.received_at <= until,
                    Category.recurrence_radius_m.is_not(None),
                    Category.code.not_in(("01-002",)),
                    ~select(PlaceIncident.incident_id)
                    .where(PlaceIncident.incident_id == Incident.id)
                    .exists(),
                    HAPPENED,
                )
                .order_by(Incident.received_at.desc(), Incident.id)
                .limit(_TRIES)
            )
        )

    def _name(self, incident: Incident, at: datetime) -> Place | None:
        ((lon, lat),) = to_shape(incident.point).coords
        try:
            return acts.name(
                self.session,
                category=str(incident.category_code),
                lon=lon,
                lat=lat,
                frame="CGCS2000",
                name=incident.address or "路口",
                note="群众反映多次",
                by=self.staff.one(Role.TOWN_OFFICE, self.staff.town),
                now=at,
            )
        except CityError:
            return None  # another place holds it already

    def _begin_campaign(self, at: datetime) -> bool:
        """Begin a campaign on live places of the category that most of the visitors' town's places have.

        Those of which something is told that comes later are left out, so that histories run forwards.
        """
        told = select(func.max(PlaceStep.at)).where(PlaceStep.place_id == Place.id).scalar_subquery()
        mine = (under(Place.grid_code, self.staff.town), Place.status.in_(LIVE_PLACES), told <= at)
        category = self.session.scalar(
            select(Place.category_code)
            .where(*mine)
            .group_by(Place.category_code)
            .order_by(func.count().desc(), Place.category_code)
            .limit(1)
        )
        if category is None:
            return False
        numbers = self.session.scalars(
            select(Place.number).where(*mine, Place.category_code == category).order_by(Place.number)
        ).all()
        campaigns.begin(
            self.session,
            CampaignPlan(
                name=f"{self.session.get_one(Category, category).name}专项整治",
                area=self.staff.town,
                goal="一个月内各点不再新增上报，年底前全部销号",
                lead=_LEADS[category],
                from_on=local_day(at),
                until_on=local_day(at + timedelta(days=30)),
                category=category,
            ),
            places=numbers[:20],
            by=self.staff.one(Role.TOWN_OFFICE, self.staff.town),
            now=at,
        )
        return True


_LEADS = {rule.code: rule.lead for rule in shipped_categories()}
