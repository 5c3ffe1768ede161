"""A year of finished cases of one district, lived one by one and written in batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gis.crs import Frame, from_storage, to_storage
from grids.atlas import BORDER_M, Atlas
from grids.demo.chronicle import Book, Chronicle
from grids.demo.copying import ewkb
from grids.demo.happenings import Happenings
from grids.demo.luck import Luck
from grids.demo.names import mobile, people_names
from grids.demo.paths import Plan, live
from grids.demo.places import Gazetteer
from grids.demo.words import TOLD
from grids.rules import explanation
from grids.rules.calendar import SHANGHAI
from grids.rules.categories import CategoryKind, CategoryRule
from grids.rules.duplicates import metres_from
from grids.rules.lifecycle import Channel, IncidentStatus
from grids.rules.permissions import Role
from grids.tables import Incident, NumberSeries, Placement, Reporter

__all__ = ["write_numbers", "write_year"]

_BATCH = 1000
_RETURNS_WITHIN = timedelta(days=30)
_REJECTED = 0.03  # of what citizens report
_INCIDENT_COLUMNS = tuple(Incident.__table__.columns.keys())

# who reports: matters that are asked for, what the community sees itself, and what it needs others for
_ASKED = ((Channel.HOTLINE, 0.7), (Channel.CITIZEN, 0.3))
_SEEN = (
    (Channel.GRID_WORKER, 0.56),
    (Channel.BUILDING_LEADER, 0.05),
    (Channel.HOTLINE, 0.26),
    (Channel.CITIZEN, 0.13),
)
_CALLED = (
    (Channel.GRID_WORKER, 0.30),
    (Channel.BUILDING_LEADER, 0.05),
    (Channel.HOTLINE, 0.45),
    (Channel.CITIZEN, 0.20),
)
_FRAMES = {Channel.CITIZEN: Frame.GCJ02, Channel.GRID_WORKER: Frame.WGS84}  # phones shift, our app does not
_POSTS = {Channel.GRID_WORKER: Role.GRID_WORKER, Channel.BUILDING_LEADER: Role.BUILDING_LEADER}


@dataclass(frozen=True)
class _Placed:
    """Where reports lie, one entry a report."""

    native_lon: list[float]
    native_lat: list[float]
    frame: list[str]
    lon: list[float]
    lat: list[float]
    points: list[str]
    cell: list[str]
    edition: list[int]
    border_m: list[float]
    index: list[int]  # of the cell in the atlas


@dataclass
class _Settled:
    """What was closed where and when, so that what comes back is known as it is in `grids.acts.regrading`."""

    places: dict[tuple[str, int, int], list[tuple[datetime, datetime, float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def times_before(self, rule: CategoryRule, incident: dict[str, Any], point: tuple[float, float]) -> int:
        """Return how often this category was settled here in the 30 days before the report."""
        radius, received = rule.recurrence_radius_m, incident["received_at"]
        if radius is None:
            return 0
        square = _square(rule, point)
        near = (
            metres_from(*point, lon, lat)
            for dx, dy in product((-1, 0, 1), repeat=2)
            for since, closed, lon, lat in self.places.get((square[0], square[1] + dx, square[2] + dy), ())
            if closed <= received and since >= received - _RETURNS_WITHIN
        )
        return sum(east * east + north * north <= radius * radius for east, north in near)

    def note(self, rule: CategoryRule, incident: dict[str, Any], point: tuple[float, float]) -> None:
        """Keep a case that was closed."""
        if rule.recurrence_radius_m is not None and incident["status"] is IncidentStatus.CLOSED:
            self.places[_square(rule, point)].append((incident["received_at"], incident["closed_at"], *point))


def _square(rule: CategoryRule, point: tuple[float, float]) -> tuple[str, int, int]:
    """Return the square that holds a point, wider than the radius of the category up to 75 degrees of latitude."""
    width = 4 * (rule.recurrence_radius_m or 0) / 111_000
    return rule.code, int(point[0] // width), int(point[1] // width)


def write_year(
    session: Session,
    book: Book,
    happened: Happenings,
    categories: tuple[CategoryRule, ...],
    atlas: Atlas,
    gazetteer: Gazetteer,
    spots: list[str],
    random: np.random.Generator,
    *,
    until: datetime,
    progress: Callable[[int], None],
) -> dict[IncidentStatus, int]:
    """Live and write all that happened; return how many ended how.

    spots : names of the places in `happened.spots`. until : when the last of them has ended.
    progress : called with how many more are written.
    """
    luck = Luck(random)
    ended: dict[IncidentStatus, int] = {}
    masters: dict[int, dict[str, Any]] = {}
    settled = _Settled()
    wanted = set(happened.master[happened.master >= 0].tolist())
    for start in range(0, len(happened), _BATCH):
        rows = range(start, min(start + _BATCH, len(happened)))
        rules = [categories[number] for number in happened.category[rows.start : rows.stop].tolist()]
        channels = [
            _channel(rule, happened.master[row] >= 0, luck) for row, rule in zip(rows, rules, strict=True)
        ]
        placed = _place(
            happened.lon[rows.start : rows.stop], happened.lat[rows.start : rows.stop], channels, atlas
        )
        names = people_names(len(rows), random)
        for number, row in enumerate(rows):
            cell, rule, channel = placed.cell[number], rules[number], channels[number]
            spot = int(happened.spot[row])
            where = spots[spot] if spot >= 0 else gazetteer.address(cell, luck)
            if channel in _POSTS and book.staff.at(_POSTS[channel], cell) is None:
                channel = Channel.HOTLINE
            received = datetime.fromtimestamp(int(happened.at[row]), UTC)
            incident = _incident(book, placed, number, rule, channel, received, where, luck)
            incident["explanation"] = [_why_there(atlas, placed, number, incident)]
            book.sheets.add(Incident, incident)
            reporter = _reporter(book, incident, names[number], luck)
            master = int(happened.master[row])
            plan = Plan(
                channel=channel,
                place=where,
                reporter_id=reporter,
                master=masters.get(master),
                rejected=master < 0 and reporter is not None and luck.chance(_REJECTED),
            )
            point = (placed.lon[number], placed.lat[number])
            times = 1 + settled.times_before(rule, incident, point)
            live(Chronicle(book, rule, incident, point, times), plan, luck, until)
            settled.note(rule, incident, point)
            status = incident["status"]
            ended[status] = ended.get(status, 0) + 1
            if row in wanted:
                masters[row] = incident
        book.sheets.write(session)
        progress(len(rows))
    return ended


def write_numbers(session: Session, book: Book) -> None:
    """Let later incidents and whistles count on from the year's."""
    if not book.numbers:
        return
    statement = insert(NumberSeries).values([{"name": n, "last": last} for n, last in book.numbers.items()])
    session.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"last": statement.excluded.last})
    )


def _channel(rule: CategoryRule, repeated: bool, luck: Luck) -> Channel:
    draw = luck.share()
    asked = repeated or rule.kind is CategoryKind.SERVICE
    options = _ASKED if asked else _SEEN if rule.whistle_level == 1 else _CALLED
    for channel, share in options:
        draw -= share
        if draw < 0:
            return channel
    return Channel.HOTLINE


def _place(
    lon: NDArray[np.float64], lat: NDArray[np.float64], channels: list[Channel], atlas: Atlas
) -> _Placed:
    """Put points into their cells as a report would be: by what the reporter's device said, in its frame."""
    frames = [_FRAMES.get(channel, Frame.CGCS2000) for channel in channels]
    native_lon, native_lat = lon.copy(), lat.copy()
    shifted = np.array([frame is Frame.GCJ02 for frame in frames])
    native_lon[shifted], native_lat[shifted] = from_storage(lon[shifted], lat[shifted], Frame.GCJ02)
    x, y = lon.copy(), lat.copy()
    x[shifted], y[shifted] = to_storage(native_lon[shifted], native_lat[shifted], Frame.GCJ02)
    found = atlas.locator.locate(x, y)
    distance = atlas.locator.border_distance_m(x, y, found)
    return _Placed(
        native_lon=native_lon.tolist(),
        native_lat=native_lat.tolist(),
        frame=[frame.value for frame in frames],
        lon=x.tolist(),
        lat=y.tolist(),
        points=ewkb(np.asarray(shapely.points(x, y), dtype=object)),
        cell=[str(code) for code in atlas.codes[found]],
        edition=atlas.editions[found].tolist(),
        border_m=distance.tolist(),
        index=found.tolist(),
    )


def _incident(
    book: Book,
    placed: _Placed,
    number: int,
    rule: CategoryRule,
    channel: Channel,
    received: datetime,
    where: str,
    luck: Luck,
) -> dict[str, Any]:
    cell = placed.cell[number]
    stem = f"{received.astimezone(SHANGHAI):%Y%m%d}{cell[:6]}"
    told = TOLD.get(rule.code, ("{place}" + rule.name_zh,))
    from_phone = channel in _FRAMES or channel in _POSTS
    return {
        **dict.fromkeys(_INCIDENT_COLUMNS),
        "id": next(book.ids["incident"]),
        "number": f"{stem}{book.next_number(f'incident {stem}'):05d}",
        "status": IncidentStatus.REPORTED,
        "round": 1,
        "channel": channel,
        "text": luck.pick(told).format(place=where),
        "address": where,
        "category_code": rule.code,
        "point": placed.points[number],
        "native_lon": placed.native_lon[number],
        "native_lat": placed.native_lat[number],
        "native_frame": placed.frame[number],
        "accuracy_m": round(luck.lognormal(9.0, 0.6), 1) if from_phone else None,
        "edition_id": placed.edition[number],
        "grid_code": cell,
        "placement": Placement.BORDER if placed.border_m[number] <= BORDER_M else Placement.INSIDE,
        "border_distance_m": placed.border_m[number],
        "received_at": received,
        "rework_count": 0,
        "version": 1,
    }


def _why_there(atlas: Atlas, placed: _Placed, number: int, incident: dict[str, Any]) -> dict[str, Any]:
    accuracy_m, border_m = incident["accuracy_m"], incident["border_distance_m"]
    found = atlas.candidates(
        placed.lon[number], placed.lat[number], placed.index[number], border_m, accuracy_m
    )
    return explanation.cell(
        incident["grid_code"],
        incident["placement"].value,
        at=incident["received_at"],
        edition=incident["edition_id"],
        edition_name=atlas.edition_names[incident["edition_id"]],
        frame=incident["native_frame"],
        lon=incident["native_lon"],
        lat=incident["native_lat"],
        accuracy_m=accuracy_m,
        border_m=border_m,
        candidates=[(one.code, one.share, one.distance_m) for one in found],
    )


def _reporter(book: Book, incident: dict[str, Any], name: str, luck: Luck) -> int | None:
    """Note who called; the city's own people are not called back."""
    if incident["channel"] in _POSTS:
        return None
    reporter_id = next(book.ids["reporter"])
    book.sheets.add(
        Reporter,
        {
            "id": reporter_id,
            "incident_id": incident["id"],
            "name": name,
            "phone": mobile(50_000_000 + luck.number(40_000_000)),
            "reported_at": incident["received_at"],
        },
    )
    return reporter_id
