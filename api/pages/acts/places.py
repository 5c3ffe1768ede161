"""Forms of the acts on a recurrent problem point."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData, UploadFile

from api.deps import UnitOfWork
from api.pages.forms import date_of, number_of, text_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids.places import acts, photos
from grids.places.acts import Plan
from grids.rules.places import PLACE, PhotoSide
from grids.tables import Place, PlacePhoto

__all__ = ["ACTS"]


def _name(session: UnitOfWork, visit: Visit, _number: str, data: FormData) -> Place:
    lon, lat = number_of(data, "lon"), number_of(data, "lat")
    if lon is None or lat is None:
        raise InvalidInput("place_needed", "say where it is: click the place on the map", field="lon")
    return acts.name(
        session,
        category=text_of(data, "category") or "",
        lon=lon,
        lat=lat,
        frame=visit.frame(text_of(data, "frame")),
        name=text_of(data, "name") or "",
        note=text_of(data, "note"),
        by=visit.me,
        now=visit.now,
    )


def _confirm(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Place:
    return acts.confirm(session, number, note=text_of(data, "note"), by=visit.me, now=visit.now)


def _dismiss(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Place:
    return acts.dismiss(session, number, reason=text_of(data, "reason") or "", by=visit.me, now=visit.now)


def _plan(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Place:
    return acts.plan(session, number, _planned(data), by=visit.me, now=visit.now)


def _change_plan(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Place:
    reason = text_of(data, "reason") or ""
    return acts.change_plan(session, number, _planned(data), reason=reason, by=visit.me, now=visit.now)


def _planned(data: FormData) -> Plan:
    return Plan(
        cause=text_of(data, "cause") or "",
        measure=text_of(data, "measure") or "",
        lead=text_of(data, "lead") or "",
        due_on=date_of(data, "due_on"),
        cooperating=tuple(
            name.removeprefix("co_") for name, value in data.items() if name.startswith("co_") and value
        ),
    )


def _add_photo(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> PlacePhoto:
    file, side = data.get("photo"), text_of(data, "side")
    if not isinstance(file, UploadFile) or not file.filename:
        raise InvalidInput("photo_empty", "choose a photo", field="photo")
    if side not in set(PhotoSide):
        raise InvalidInput("unknown_choice", "choose one of the list", field="side")
    return photos.add_photo(
        session,
        number,
        file.file.read(),
        side=PhotoSide(side),
        note=text_of(data, "note"),
        by=visit.me,
        now=visit.now,
    )


def _finish(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Place:
    return acts.finish(session, number, result=text_of(data, "result") or "", by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {
    (PLACE.name, "add_photo"): _add_photo,
    (PLACE.name, "change_plan"): _change_plan,
    (PLACE.name, "confirm"): _confirm,
    (PLACE.name, "dismiss"): _dismiss,
    (PLACE.name, "finish"): _finish,
    (PLACE.name, "name"): _name,
    (PLACE.name, "plan"): _plan,
}
