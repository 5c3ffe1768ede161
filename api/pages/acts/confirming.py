"""Forms of the ways to a confirmed whistle beside the leader's own word, and back from one."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.acts.whistles import called_in
from api.pages.forms import text_of
from api.pages.visit import Act, Visit
from grids.acts import confirming, returns
from grids.rules.whistles import WHISTLE
from grids.tables import Whistle

__all__ = ["ACTS"]


def _by_phone(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    heard_by = text_of(data, "heard_by") or ""
    return confirming.confirm_by_phone(session, number, heard_by=heard_by, by=visit.me, now=visit.now)


def _write(session: UnitOfWork, visit: Visit, number: str, _data: FormData) -> Whistle:
    return confirming.write_confirmation(session, number, by=visit.me, now=visit.now)


def _instead(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    reason = text_of(data, "reason") or ""
    return confirming.confirm_instead(session, number, reason=reason, by=visit.me, now=visit.now)


def _withdraw(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    reason = text_of(data, "reason") or ""
    return confirming.withdraw(session, number, reason=reason, by=visit.me, now=visit.now)


def _change(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    reason = text_of(data, "reason") or ""
    return returns.change_departments(
        session, number, called_in(data), reason=reason, by=visit.me, now=visit.now
    )


ACTS: Mapping[tuple[str, str], Act] = {
    (WHISTLE.name, "change_departments"): _change,
    (WHISTLE.name, "confirm_by_phone"): _by_phone,
    (WHISTLE.name, "confirm_instead"): _instead,
    (WHISTLE.name, "withdraw"): _withdraw,
    (WHISTLE.name, "write_confirmation"): _write,
}
