"""The bodies that answer whistles, and what can be wrong in a city."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import StringConstraints

from api.deps import Me, ReadOnly
from api.problems import answers
from api.schemas.places import CategoryOut, DepartmentOut
from grids import directory

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["departments"])

District = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


@router.get("/departments", responses=answers(401, 422))
def list_departments(me: Me, session: ReadOnly, district: District | None = None) -> list[DepartmentOut]:
    """Return a district's departments by code; by default those of one's own district."""
    code = district or directory.district_of(session, me)
    return [DepartmentOut.of(body) for body in directory.departments(session, code)] if code else []


@router.get("/categories", responses=answers(401))
def list_categories(_me: Me, session: ReadOnly) -> list[CategoryOut]:
    """Return the categories that an incident may have, by code."""
    return [CategoryOut.of(one) for one in directory.categories(session) if one.retired_on is None]
