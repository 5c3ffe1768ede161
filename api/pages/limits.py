"""The limits that cases run by: what is in force beside what is drafted, and the way from one to the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.i18n import DEFAULT as HOUSE_LANGUAGE
from api.i18n import Words
from api.pages.forms import Filled, date_of, text_of, tried
from api.pages.layout import see_other
from api.pages.timeline import limit_words
from api.pages.visit import Visit, Visiting
from gis.errors import CityError, InvalidInput
from grids import limits
from grids.rules.calendar import local_day
from grids.rules.permissions import RULE_KEEPERS, RULE_READERS, require_area, require_role, signature
from grids.rules.profiles import (
    FIELDS,
    SHIPPED,
    LimitProfile,
    compare,
    read_profile,
    shipped_profile,
)
from grids.tables import DraftStatus
from grids.tables import LimitProfile as Row

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_MOST_BYTES = 64 * 1024
_MINUTES = frozenset({"response_minutes", "emergency_response_minutes", "check_in_grace"})
_DAYS = frozenset({"suspension_days", "ledger_days", "reopen_days", "callback_days"})


async def _with_file(request: Request) -> AsyncIterator[FormData]:
    async with request.form(max_files=1, max_fields=20) as data:  # closes the file
        yield data


WithFile = Annotated[FormData, Depends(_with_file)]
ProfileId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@dataclass(frozen=True, slots=True)
class Line:
    """One limit in words: what holds and, where another profile is beside it, what it would be."""

    label: str
    now: str
    other: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """The profile beside the one in force. row : None for one that comes with the product."""

    key: str
    profile: LimitProfile
    row: Row | None = None


@router.get("/rules/limits")
def show_limits(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the limits in force in one's district, beside a draft or a shipped profile."""
    return _page(session, visit)


@router.post("/rules/limits")
def draft(session: UnitOfWork, visit: Visiting, data: WithFile) -> Response:
    """Store limits as a draft and show them beside those in force."""
    require_role(visit.me, RULE_KEEPERS)
    done = tried(session, lambda: _draft(session, visit, data))
    if isinstance(done, CityError):
        return _page(session, visit, Filled.of("draft", data, done), done)
    return see_other(f"/rules/limits?with={done.id}")


@router.post("/rules/limits/{profile_id}/publish")
def publish(session: UnitOfWork, visit: Visiting, profile_id: ProfileId) -> Response:
    """Put a draft into force from its day on."""
    _opened(session, visit, profile_id)
    done = tried(session, lambda: limits.publish(session, profile_id, by=signature(visit.me), now=visit.now))
    if isinstance(done, CityError):
        return _page(session, visit, problem=done)
    return see_other("/rules/limits")


@router.post("/rules/limits/{profile_id}/withdraw")
def withdraw(session: UnitOfWork, visit: Visiting, profile_id: ProfileId) -> Response:
    """Put a draft away."""
    _opened(session, visit, profile_id)
    done = tried(session, lambda: limits.withdraw(session, profile_id))
    if isinstance(done, CityError):
        return _page(session, visit, problem=done)
    return see_other("/rules/limits")


def _opened(session: UnitOfWork, visit: Visit, profile_id: int) -> Row:
    require_role(visit.me, RULE_KEEPERS)
    row = limits.get(session, profile_id)
    require_area(visit.me, row.district_code)
    return row


def _draft(session: UnitOfWork, visit: Visit, data: FormData) -> Row:
    file, shipped = data.get("file"), text_of(data, "shipped")
    if isinstance(file, UploadFile) and file.filename:
        content = file.file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise InvalidInput("bad_profile", "a file of limits has at most 64 kB", field="file")
        profile = read_profile(content, file.filename)
    elif shipped in SHIPPED:
        profile = shipped_profile(shipped)
    else:
        raise InvalidInput(
            "file_needed", "choose a file of limits, or one of those that are shipped", field="file"
        )
    return limits.draft(
        session,
        profile,
        district=_district(visit),
        effective_from=date_of(data, "effective"),
        by=signature(visit.me),
        now=visit.now,
    )


def _district(visit: Visit) -> str:
    return (visit.me.area_code or "")[:6]


def _page(
    session: ReadOnly, visit: Visit, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    require_role(visit.me, RULE_READERS)
    district, today = _district(visit), local_day(visit.now)
    rows = limits.listing(session, [district])
    drafts = [row for row in rows if row.status is DraftStatus.DRAFT]
    held = limits.in_force(session, district, today)
    beside = _beside(visit, rows, drafts)
    only = beside is not None and visit.request.query_params.get("only") == "1"
    return visit.show(
        session,
        "limits.html",
        problem=problem,
        here="/rules/limits",
        sent=sent,
        today=today,
        tomorrow=(today + timedelta(days=1)).isoformat(),
        held=held,
        held_row=limits.in_force_row(session, district, today),
        kept=limits.running_cases(session, district),
        compared=beside,
        groups=_groups(held, beside.profile if beside else None, visit.words, only=only),
        only=only,
        differ=len(compare(held, beside.profile)) if beside else 0,
        drafts=[(row, len(compare(held, limits.profile_of(row)))) for row in drafts],
        coming=[row for row in rows if row.status is DraftStatus.PUBLISHED and row.effective_from > today],
        shipped=[(code, _name(shipped_profile(code), visit.words)) for code in SHIPPED],
        profile_name=lambda profile: _name(profile, visit.words),
        may_change=visit.me.role in RULE_KEEPERS,
        signed_as=signature(visit.me),
    )


def _beside(visit: Visit, rows: Sequence[Row], drafts: Sequence[Row]) -> Compared | None:
    """Return what stands beside the limits in force: what was asked for, else the newest draft."""
    asked = text_of(visit.request.query_params, "with")
    if asked in SHIPPED:
        return Compared(asked, shipped_profile(asked))
    row = next((row for row in rows if str(row.id) == asked), drafts[0] if drafts and not asked else None)
    return None if row is None else Compared(str(row.id), limits.profile_of(row), row)


def _name(profile: LimitProfile | Row, words: Words) -> str:
    return profile.name if words.language == HOUSE_LANGUAGE else profile.name_en


def _groups(
    held: LimitProfile, other: LimitProfile | None, words: Words, *, only: bool
) -> list[tuple[str, list[Line]]]:
    """Return the limits in words under their headings, ceilings first."""
    old, new = held.values(), other.values() if other else {}
    names = [name for name in dict.fromkeys([*old, *new]) if not only or old.get(name) != new.get(name)]

    def lines(wanted: Sequence[str]) -> list[Line]:
        return [
            Line(
                _label(name, words),
                _value(name, old, words),
                _value(name, new, words) if other else None,
                other is not None and old.get(name) != new.get(name),
            )
            for name in wanted
        ]

    return [
        (words("Handling at most, by colour"), lines([n for n in names if n.startswith("ceilings.")])),
        (words("Clocks"), lines([n for n in names if n.startswith("clocks.")])),
        (words("Other limits"), lines([n for n in names if n in FIELDS])),
    ]


def _label(name: str, words: Words) -> str:
    table, _, rest = name.partition(".")
    if table == "ceilings":
        return words.of("grade", rest)
    if table == "clocks":
        kind, _, urgent = rest.partition(".")
        plain = words.of("clock", kind)
        return words.noted(plain, words("red and orange")) if urgent else plain
    return words.of("limit", name)


def _value(name: str, values: Mapping[str, str], words: Words) -> str:
    value = values.get(name)
    if value is None:
        return words("no limit") if name in FIELDS else words("as the ordinary one")
    if name in _MINUTES:
        return words.duration(float(value))
    if name in _DAYS:
        return words.duration(float(value) * 24 * 60)
    if name == "long_overdue_hours":
        return words.duration(float(value) * 60)
    if name == "progress_share":
        return f"{(Decimal(value) * 100).normalize():f}%"
    number, _, unit = value.partition(" ")
    return limit_words({"value": number, "unit": unit}, words) if unit else value
