"""Long jobs: how far one's own are, and the files that came of them."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from api.deps import Me, ReadOnly
from api.problems import answers
from api.schemas.messages import JobOut
from grids import longjobs

__all__ = ["router"]

router = APIRouter(prefix="/api/jobs", tags=["jobs"])


@router.get("/{key}", responses=answers(401, 404, 422))
def show_job(key: UUID, me: Me, session: ReadOnly) -> JobOut:
    """Return how far a long job of one's own is."""
    return JobOut.of(longjobs.show(session, key, me))


@router.get("/{key}/file", response_class=Response, responses=answers(401, 404, 422))
def fetch_file(key: UUID, me: Me, session: ReadOnly) -> Response:
    """Return the file that a job made, for a day after it was made."""
    job = longjobs.show(session, key, me, whole=True)
    name = quote(job.file_name or "file", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(job.content, media_type=job.media_type, headers=headers)
