"""Forms of coming to the place and of what is done there together."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import number_of, text_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids.acts import presence, together
from grids.acts.presence import CheckIn
from grids.rules.tasks import TASK, CheckInMethod
from grids.rules.whistles import WHISTLE
from grids.tables import JointAction, Task

__all__ = ["ACTS"]

_LONGEST_DEVICE = 64


def _check_in(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Task:
    said = text_of(data, "method") or CheckInMethod.GPS.value
    if said not in set(CheckInMethod):
        raise InvalidInput("unknown_choice", "method is none of those offered", field="method", got=said[:40])
    accuracy = number_of(data, "accuracy_m")
    how = CheckIn(
        method=CheckInMethod(said),
        lon=number_of(data, "lon"),
        lat=number_of(data, "lat"),
        frame=visit.frame(text_of(data, "frame") or "WGS84"),
        accuracy_m=None if accuracy is None else max(0.0, accuracy),
        reason=text_of(data, "reason"),
        code=text_of(data, "code"),
        device=(text_of(data, "device") or "")[:_LONGEST_DEVICE] or None,
    )
    return presence.check_in(session, int(key), how, by=visit.me, now=visit.now)


def _confirm(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Task:
    return presence.confirm_presence(
        session, int(key), comment=text_of(data, "comment"), by=visit.me, now=visit.now
    )


def _deny(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Task:
    return presence.deny_presence(
        session, int(key), comment=text_of(data, "comment") or "", by=visit.me, now=visit.now
    )


def _start_remote(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Task:
    return presence.start_remote(
        session, int(key), reason=text_of(data, "reason") or "", by=visit.me, now=visit.now
    )


def _end_action(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> JointAction:
    return together.end_action(
        session,
        key,
        measures=text_of(data, "measures") or "",
        documents=(text_of(data, "documents") or "").splitlines(),
        follow_up=text_of(data, "follow_up"),
        by=visit.me,
        now=visit.now,
    )


def _follow_up(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> JointAction:
    return together.follow_up(session, key, text=text_of(data, "follow_up") or "", by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {
    (TASK.name, "check_in"): _check_in,
    (TASK.name, "confirm_presence"): _confirm,
    (TASK.name, "deny_presence"): _deny,
    (TASK.name, "start_remote"): _start_remote,
    (WHISTLE.name, "end_action"): _end_action,
    (WHISTLE.name, "follow_up"): _follow_up,
}
