"""Recurrent problem points, campaigns and rain, as they come in and go out."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from api.schemas.base import Answer, AreaCode, Body, FrameCode, Line, Moment, Passage, Real, ShortCode, Shown
from grids.places.acts import Plan
from grids.places.campaigns import CampaignFile, CampaignPlan, Cluster, Span
from grids.places.ledger import PhotoLine, PlaceFile, PlaceRow
from grids.rules.curing import Quiet, WaitsFor
from grids.rules.grading import Grade
from grids.rules.lifecycle import IncidentStatus
from grids.rules.places import FoundHow, PhotoSide, PlaceStatus
from grids.rules.rain import Rain, RainEpisode
from grids.tables import Campaign, PlacePhoto, PlaceStep

__all__ = [
    "CampaignIn",
    "CampaignListOut",
    "CampaignOut",
    "CampaignWholeOut",
    "ChangedPlanIn",
    "EndIn",
    "FinishIn",
    "NameIn",
    "PhotoOut",
    "PlaceBrief",
    "PlaceListOut",
    "PlaceWholeOut",
    "PlanIn",
    "RainOut",
    "SentPhoto",
]


class NameIn(Body):
    """A place that somebody knows to come back."""

    category: ShortCode
    lon: Real = Field(description="longitude in degrees, or the easting in a projected system")
    lat: Real
    frame: FrameCode
    name: Line = Field(description="how people call it, at most 80 characters")
    note: Passage | None = None


class PlanIn(Body):
    """What is done about a place, by whom and by when."""

    cause: Passage = Field(description="why it comes back")
    measure: Passage
    lead: ShortCode = Field(description="code of a department of the district, or TOWN")
    cooperating: list[ShortCode] = Field(default_factory=list, max_length=20)
    due_on: date

    def to_plan(self) -> Plan:
        """Return it as the use case takes it."""
        return Plan(self.cause, self.measure, self.lead, self.due_on, tuple(self.cooperating))


class ChangedPlanIn(PlanIn):
    """Another plan, and why."""

    reason: Passage


class FinishIn(Body):
    """What was done in the end."""

    result: Passage


class SentPhoto(Body):
    """What tells one sent photo from another."""

    sha256: str
    side: PhotoSide
    note: Passage | None


class PhotoOut(Answer):
    """A photo; its picture is at `url`."""

    id: int
    side: PhotoSide
    note: str | None
    taken_at: Shown | None = Field(description="as the camera wrote it")
    added_at: Shown
    width: int
    height: int
    url: str

    @classmethod
    def of(cls, number: str, photo: PhotoLine | PlacePhoto) -> PhotoOut:
        """Return a photo of a place."""
        made = {name: getattr(photo, name) for name in cls.model_fields if name != "url"}
        return cls(**made, url=f"/api/places/{number}/photos/{photo.id}")


class PlaceBrief(Answer):
    """A recurrent problem point in a list."""

    number: str
    category: str
    grid: AreaCode
    name: str
    lon: float = Field(description="WGS84, which CGCS2000 equals within a metre")
    lat: float
    radius_m: int
    status: PlaceStatus
    found_how: FoundHow
    found_at: Shown
    times: int = Field(
        description="how often it came back: rains for waterlogging, else times at least a day apart"
    )
    counted_by_rain: bool
    incidents: int = Field(description="all that happened there, also those too close in time to count")
    open: int
    first_at: Shown | None
    last_at: Shown | None
    lead: str | None
    due_on: date | None
    overdue: bool = Field(description="the day of its plan has passed, and it is not treated")
    treated_at: Shown | None
    cured_at: Shown | None
    returned_at: Shown | None
    returns: int

    @classmethod
    def brief(cls, row: PlaceRow) -> PlaceBrief:
        """Return a place in short."""
        return cls.model_validate(_plain(row))


_MADE = frozenset({"category", "grid", "lon", "lat", "counted_by_rain", "incidents", "open", "overdue"})


def _plain(row: PlaceRow) -> dict[str, object]:
    place = row.place
    plain = {name: getattr(place, name) for name in PlaceBrief.model_fields if name not in _MADE}
    return plain | {
        "category": place.category_code,
        "grid": place.grid_code,
        "lon": row.lon,
        "lat": row.lat,
        "counted_by_rain": row.rainy,
        "incidents": row.members,
        "open": row.open,
        "overdue": row.overdue,
    }


class PlaceListOut(Answer):
    """Places, those found last first, and where the next page begins."""

    items: list[PlaceBrief]
    next_cursor: str | None


class AtPlaceOut(Answer):
    """An incident of a place."""

    number: str
    received_at: Shown
    closed_at: Shown | None
    status: IncidentStatus
    grade: Grade | None
    episode_at: Shown | None = Field(description="when its rain began; for waterlogging")
    counts: bool = Field(description="neither merged into another nor turned down since")
    visible: bool = Field(description="the reader may open it")


class QuietOut(Answer):
    """How far a treated place has come on the way to its cure."""

    until: Shown
    days: int
    days_wanted: int
    rains: int | None = Field(
        description="rains of at least 10 mm that brought no water; null where rain does not matter"
    )
    rains_wanted: int | None
    rain_known: float | None = Field(description="for how much of the time a gauge was read, 0 to 1")
    waits_for: list[WaitsFor] = Field(description="what is missing; empty once nothing is")

    @classmethod
    def of(cls, quiet: Quiet) -> QuietOut:
        """Return how far it has come."""
        return cls.model_validate({name: getattr(quiet, name) for name in cls.model_fields})


class EpisodeOut(Answer):
    """One rain: six dry hours end it."""

    began_at: Shown
    ended_at: Shown
    mm: float = Field(description="the most that one gauge collected")
    peak_mm_h: float
    reports: int | None = Field(default=None, description="reports of water that it brought to the place")

    @classmethod
    def of(cls, episode: RainEpisode, reports: int | None = None) -> EpisodeOut:
        """Return a rain."""
        return cls(
            began_at=episode.began_at,
            ended_at=episode.ended_at,
            mm=episode.mm,
            peak_mm_h=episode.peak_mm_h,
            reports=reports,
        )


class RainOut(Answer):
    """The rain of a district in a span of time, newest first."""

    district: AreaCode | None
    since: Shown
    until: Shown
    known: float = Field(description="for how much of the span a gauge was read, 0 to 1")
    items: list[EpisodeOut]

    @classmethod
    def of(cls, district: str | None, since: Shown, until: Shown, rain: Rain) -> RainOut:
        """Return the rain of a span."""
        return cls(
            district=district,
            since=since,
            until=until,
            known=round(rain.known_share(since, until), 4),
            items=[EpisodeOut.of(one) for one in reversed(rain.episodes)],
        )


class StepOut(Answer):
    """A step in the history of a place."""

    seq: int
    at: Shown
    actor: str
    unit: str
    action: str
    from_state: PlaceStatus | None
    to_state: PlaceStatus
    payload: dict[str, object]
    hash: str

    @classmethod
    def of(cls, step: PlaceStep) -> StepOut:
        """Return a step."""
        made = {name: getattr(step, name) for name in cls.model_fields if name != "hash"}
        return cls(**made, hash=step.hash.hex())


class PlaceWholeOut(PlaceBrief):
    """A recurrent problem point with its incidents, its history and what the reader may do now."""

    note: str | None
    cause: str | None
    measure: str | None
    cooperating: list[str]
    planned_at: Shown | None
    confirmed_at: Shown | None
    result: str | None
    quiet_days: int
    quiet: QuietOut | None = Field(description="while it is treated or cured")
    members: list[AtPlaceOut]
    intervals_days: list[float] = Field(description="between the times that count")
    median_interval_days: float | None
    hours: list[list[int]] = Field(
        description="7 x 24 reports by hour of the week on the city's clock, Monday first"
    )
    rains: list[EpisodeOut] = Field(description="of the last year, newest first; for waterlogging")
    photos: list[PhotoOut]
    campaigns: list[str] = Field(description="numbers")
    history: list[StepOut]
    actions: list[str] = Field(description="what the reader may do now")

    @classmethod
    def of(cls, file: PlaceFile) -> PlaceWholeOut:
        """Return a place whole."""
        place = file.place
        own = (
            "note",
            "cause",
            "measure",
            "cooperating",
            "planned_at",
            "confirmed_at",
            "result",
            "quiet_days",
        )
        members = [{name: getattr(one, name) for name in AtPlaceOut.model_fields} for one in file.members]
        return cls.model_validate(
            _plain(file.row)
            | {name: getattr(place, name) for name in own}
            | {
                "quiet": QuietOut.of(file.quiet) if file.quiet is not None else None,
                "members": members,
                "intervals_days": list(file.intervals.days),
                "median_interval_days": file.intervals.median,
                "hours": file.hours.tolist(),
                "rains": [EpisodeOut.of(line.episode, line.reports) for line in file.rains],
                "photos": [PhotoOut.of(place.number, photo) for photo in file.photos],
                "campaigns": [campaign.number for campaign in file.campaigns],
                "history": [StepOut.of(step) for step in file.steps],
                "actions": list(file.actions),
            }
        )


class CampaignIn(Body):
    """A campaign on places by number, or on the live places of its category and area where something happened."""

    name: Line
    area: AreaCode
    category: ShortCode | None = None
    goal: Passage
    lead: ShortCode = Field(description="code of a department of the district, or TOWN")
    from_on: date
    until_on: date
    places: list[str] = Field(
        default_factory=list, max_length=500, description="numbers; else `since` and `until`"
    )
    since: Moment | None = None
    until: Moment | None = None

    def to_plan(self) -> CampaignPlan:
        """Return what it is for."""
        return CampaignPlan(
            self.name, self.area, self.goal, self.lead, self.from_on, self.until_on, self.category
        )

    def to_cluster(self) -> Cluster | None:
        """Return the span in which something happened at its places, where it names one."""
        return Cluster(self.since, self.until) if self.since is not None and self.until is not None else None


class EndIn(Body):
    """What came of a campaign."""

    result: Passage


class CampaignOut(Answer):
    """A campaign."""

    number: str
    name: str
    area: AreaCode
    category: str | None
    goal: str
    lead: str
    from_on: date
    until_on: date
    begun_at: Shown
    ended_at: Shown | None
    result: str | None

    @classmethod
    def of(cls, campaign: Campaign) -> CampaignOut:
        """Return a campaign."""
        return cls.model_validate(_campaign(campaign))


def _campaign(campaign: Campaign) -> dict[str, object]:
    made = {"area": campaign.area_code, "category": campaign.category_code}
    return {name: getattr(campaign, name) for name in CampaignOut.model_fields if name not in made} | made


class CampaignListOut(Answer):
    """Campaigns, the last begun first, and where the next page begins."""

    items: list[CampaignOut]
    next_cursor: str | None


class SpanOut(Answer):
    """What happened at its places in a span of time."""

    since: Shown
    until: Shown
    days: float
    incidents: int
    per_day: float

    @classmethod
    def of(cls, span: Span | None) -> SpanOut | None:
        """Return a span, None for none."""
        if span is None:
            return None
        return cls(
            since=span.since,
            until=span.until,
            days=round(span.days, 2),
            incidents=span.incidents,
            per_day=round(span.incidents / span.days, 3),
        )


class CampaignWholeOut(CampaignOut):
    """A campaign with the places that the reader may see, and what came of it there."""

    places: list[PlaceBrief]
    standing: dict[PlaceStatus, int]
    before: SpanOut | None = Field(description="as long as `during`, right before it; null before it begins")
    during: SpanOut | None
    may_end: bool
    out_of_sight: int = Field(
        description="places counted here for who led it, and no longer listed as it is over"
    )

    @classmethod
    def whole(cls, file: CampaignFile) -> CampaignWholeOut:
        """Return a campaign whole."""
        return cls.model_validate(
            _campaign(file.campaign)
            | {
                "places": [PlaceBrief.brief(row) for row in file.places],
                "standing": file.standing,
                "before": SpanOut.of(file.before),
                "during": SpanOut.of(file.during),
                "out_of_sight": file.out_of_sight,
                "may_end": file.may_end,
            }
        )
