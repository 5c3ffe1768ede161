"""The application: every part put together, with the settings, the clock and the database handed in."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api import pages, routes
from api.auth import Strangers
from api.clock import Clock, system_clock
from api.database import Database
from api.middleware import BodyLimit, Envelope, SameOrigin
from api.problems import answers, install
from api.schemas.base import ProblemOut
from api.settings import Settings
from api.warming import warming

__all__ = ["create_app"]

STATIC = Path(__file__).resolve().parent / "static"

_ABOUT = """\
Geographic grid management with whistles: incidents at their cells, calls for help at three levels, deadlines.

Sign in with `POST /api/login` and keep the cookie. Errors are problem+json (RFC 9457) with a stable `code`.
Times are RFC 3339; those that we send carry the city's offset.
"""


class _Service(FastAPI):
    """FastAPI with our shape of errors in its description."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document; a route's 422 is a problem like every other error."""
        if not self.openapi_schema:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            problem = ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs", {}))
            schemas["Problem"] = problem
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for operations in document["paths"].values():
                for operation in operations.values():
                    if "422" in operation["responses"]:
                        operation["responses"]["422"] = answers(422)[422]
            self.openapi_schema = document
        return self.openapi_schema


class _Assets(StaticFiles):
    """Our own files: those whose address changes with what is in them are kept for good."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file with its caching: for good under a version, else asked for again each time."""
        response = super().file_response(*args, **kwargs)
        scope: Scope = args[2] if len(args) > 2 else kwargs["scope"]
        lasting = "/vendor/" in scope["path"] and "@" in scope["path"]
        lasting = lasting or scope.get("query_string", b"").startswith(b"v=")
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if lasting else "public, no-cache"
        )
        return response


def create_app(
    settings: Settings, *, clock: Clock = system_clock, database: Database, warm: bool = False
) -> FastAPI:
    """Return the service over HTTP: the JSON interface, the maps, the pages, their files, and health.

    The caller opens and closes the database, and runs a worker beside it. Nothing here reads the environment.
    warm : it serves as long as its process; when it begins, read the last months into memory, as many as the settings
    say.
    """
    app = _Service(
        title="gridwhistle",
        version=_version(),
        description=_ABOUT,
        docs_url=None,  # their pages load scripts from another host
        redoc_url=None,
        lifespan=warming(database, clock, settings.warm_months) if warm else None,
    )
    app.state.settings = settings
    app.state.clock = clock
    app.state.database = database
    app.state.strangers = Strangers()
    app.state.error_page = pages.error_page
    install(app)
    app.include_router(routes.router)
    app.include_router(pages.router)
    app.mount("/static", _Assets(directory=STATIC), name="static")
    for layer in (SameOrigin, BodyLimit, Envelope):  # the last one added is the first one asked
        app.add_middleware(layer)
    return app


def _version() -> str:
    try:
        return version("gridwhistle")
    except PackageNotFoundError:
        return "0"
