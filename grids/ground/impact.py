"""What a draft would change if it were published: areas, open incidents, people. Looking changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from gis.lineage import LEAST_SHARE, ChangeKind, changes_of, lineage
from grids import atlas
from grids.ground.succession import Heritage, cell_for, heritage_between, in_districts
from grids.rules.calendar import local_day
from grids.tables import IS_OPEN, Edition, Grid, Incident, Placement, Post, Responsibility

__all__ = ["Impact", "Moving", "impact"]

_YEAR = timedelta(days=365)
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Moving:
    """An open incident that lies in another cell on the new grid; `to` is None outside every cell."""

    number: str
    before: str
    to: str | None
    overdue: bool


@dataclass(frozen=True)
class Impact:
    """What would happen if an edition took the place of those in force.

    changes : level -> kind of change (cut, merged, split, new, gone, renamed) -> areas.
    open, moving, moving_overdue : open incidents in these districts, those whose cell changes, and of them those
        that are overdue. to_other_community, to_other_town : of the moving ones. to_nowhere : in no cell any more.
    shown : the first of the moving ones, by number. incidents_year : incidents of the last year in areas that change.
    households : that change cells, estimated by ground; None where unknown.
    posts : (area that goes, area that takes it over or None, people). rules : responsibility rules of areas that go.
    """

    replaces: tuple[int, ...]
    changes: dict[str, dict[str, int]] = field(default_factory=dict)
    open: int = 0
    moving: int = 0
    moving_overdue: int = 0
    to_other_community: int = 0
    to_other_town: int = 0
    to_nowhere: int = 0
    shown: tuple[Moving, ...] = ()
    incidents_year: int = 0
    households: int | None = None
    posts: tuple[tuple[str, str | None, int], ...] = ()
    rules: int = 0

    def sentence(self) -> str:
        """Return the preview as one line of text."""
        said = f"{self.moving} open incidents move, {self.moving_overdue} of them overdue"
        if self.to_nowhere:
            said += f"; {self.to_nowhere} would lie in no cell"
        left = sum(people for _, to, people in self.posts if to is None)
        return said + (f"; {left} people are left without their area" if left else "")


def impact(session: Session, edition: Edition, replaced: Sequence[Edition], *, now: datetime) -> Impact:
    """Look at what an edition would change if it took the place of these, without changing anything."""
    if not replaced:
        return Impact(replaces=())
    after = atlas.whole(session, edition)
    there = atlas.of_edition(session, edition.id)
    links = [lineage(atlas.whole(session, one), after) for one in replaced]
    changes: dict[str, Counter[str]] = {}
    for found in links:
        kinds = changes_of(found)
        for level, kind in zip(kinds["level"], kinds["kind"], strict=True):
            if kind != ChangeKind.SAME:
                changes.setdefault(str(level), Counter())[str(kind)] += 1
    link = pd.concat(links)
    heritages = {one.id: Heritage.of(found) for one, found in zip(replaced, links, strict=True)}
    moving = _moving(session, edition, there, heritages)
    numbers = [one for one in moving if one.to != one.before]
    gone = _gone(session, edition, replaced)
    heirs = Heritage.of(link)
    leaf = link[link["level"] == edition.leaf_level.value]
    moved_homes = leaf[leaf["before_code"] != leaf["after_code"]]["households"]
    changed = leaf[(leaf["area_share"] < 1 - LEAST_SHARE) | (leaf["before_code"] != leaf["after_code"])]
    return Impact(
        replaces=tuple(one.id for one in replaced),
        changes={level: dict(sorted(kinds.items())) for level, kinds in changes.items()},
        open=len(moving),
        moving=len(numbers),
        moving_overdue=sum(one.overdue for one in numbers),
        to_other_community=sum(one.to is not None and one.to[:12] != one.before[:12] for one in numbers),
        to_other_town=sum(one.to is not None and one.to[:9] != one.before[:9] for one in numbers),
        to_nowhere=sum(one.to is None for one in numbers),
        shown=tuple(numbers[:_SHOWN]),
        incidents_year=_of_last_year(session, changed["before_code"].unique().tolist(), now),
        households=None if moved_homes.isna().any() else int(moved_homes.sum()),
        posts=_posts(session, gone, heirs),
        rules=_rules(session, gone, now),
    )


def _moving(
    session: Session, edition: Edition, there: atlas.Atlas, heritages: dict[int, Heritage]
) -> list[Moving]:
    """Return all open incidents; heritages : by the edition that they lie in, more are found where needed."""
    rows = session.execute(
        select(
            Incident.number,
            Incident.edition_id,
            Incident.grid_code,
            Incident.placement,
            Incident.first_overdue_at,
            func.ST_X(Incident.point).label("lon"),
            func.ST_Y(Incident.point).label("lat"),
        )
        .where(IS_OPEN, Incident.placement != Placement.OUTSIDE, in_districts(session, edition.id))
        .order_by(Incident.number)
    ).all()
    if not rows:
        return []
    index = there.locator.locate(
        np.array([row.lon for row in rows]), np.array([row.lat for row in rows])
    ).tolist()
    for number in {row.edition_id for row in rows} - heritages.keys():
        heritages[number] = heritage_between(session, session.get_one(Edition, number), edition)
    return [
        Moving(
            number=row.number,
            before=row.grid_code,
            to=cell_for(
                row.grid_code,
                row.placement,
                None if at < 0 else str(there.codes[at]),
                heritages[row.edition_id],
            ),
            overdue=row.first_overdue_at is not None,
        )
        for row, at in zip(rows, index, strict=True)
    ]


def _gone(session: Session, edition: Edition, replaced: Sequence[Edition]) -> list[str]:
    kept = select(Grid.code).where(Grid.edition_id == edition.id)
    return list(
        session.scalars(
            select(Grid.code)
            .where(Grid.edition_id.in_([one.id for one in replaced]), Grid.code.not_in(kept))
            .order_by(Grid.code)
        )
    )


def _posts(
    session: Session, gone: Sequence[str], heritage: Heritage
) -> tuple[tuple[str, str | None, int], ...]:
    rows = session.execute(
        select(Post.area_code, func.count())
        .where(Post.area_code.in_(gone))
        .group_by(Post.area_code)
        .order_by(Post.area_code)
    ).all()
    return tuple((str(code), heritage.heirs.get(str(code)), int(number)) for code, number in rows)


def _rules(session: Session, gone: Sequence[str], now: datetime) -> int:
    holds = or_(Responsibility.effective_to.is_(None), Responsibility.effective_to > local_day(now))
    return (
        session.scalar(
            select(func.count()).select_from(Responsibility).where(Responsibility.area_code.in_(gone), holds)
        )
        or 0
    )


def _of_last_year(session: Session, codes: Sequence[str], now: datetime) -> int:
    return (
        session.scalar(
            select(func.count())
            .select_from(Incident)
            .where(Incident.grid_code.in_(codes), Incident.received_at >= now - _YEAR)
        )
        or 0
    )
