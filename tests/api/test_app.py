"""The application as a whole: every route has a rule, every answer its headers, every error one shape."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from api import auth, deps
from api.middleware import MOST_BYTES

NUMBERS = {
    "number": "2026060399010100001",
    "task_id": "1",
    "code": "990101001",
    "act": "cancel",
}


def contexts(routes: Any) -> Iterator[Any]:
    """Yield every route of an application, those of included routers among them."""
    for route in routes:
        if hasattr(route, "effective_route_contexts"):
            yield from route.effective_route_contexts()
        elif hasattr(route, "methods"):
            yield route


def asks_who(dependant: Any) -> bool:
    """Tell whether a route, or something that it depends on, asks who is there."""
    return dependant.call in (deps.signed_in, deps.page_signed_in) or any(
        asks_who(inner) for inner in dependant.dependencies
    )


def named(route: Any) -> list[str]:
    return [f"{method} {route.path}" for method in sorted(route.methods - {"HEAD"})]


_HOLE = re.compile(r"{(\w+)(?::\w+)?}")


def _filled(holes: dict[str, str], hole: re.Match[str]) -> str:
    return holes.get(hole[1], "x")


def addresses(city: Any) -> list[tuple[str, str]]:
    """Return method and address of every route that is not public, its parameters filled in."""
    found = []
    for route in contexts(city.app.routes):
        for name in named(route):
            if name not in auth.PUBLIC:
                method, _, path = name.partition(" ")
                holes = NUMBERS | ({"number": "W2026060399010100001"} if "whistles/" in path else {})
                found.append((method, _HOLE.sub(partial(_filled, holes), path)))
    return found


def test_no_route_is_without_a_rule(still_city: Any) -> None:
    open_routes = {
        name
        for route in contexts(still_city.app.routes)
        if not (hasattr(route, "dependant") and asks_who(route.dependant))
        for name in named(route)
    }

    assert open_routes == auth.PUBLIC


def test_a_stranger_gets_401_from_every_json_route_and_the_login_from_every_page(still_city: Any) -> None:
    stranger = still_city.stranger()
    asked = addresses(still_city)
    assert len(asked) > 60

    for method, path in asked:
        answer = stranger.request(method, path, follow_redirects=False)
        if path.startswith("/api/"):
            assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in"), path
        else:
            assert answer.status_code == 303, f"{method} {path}: {answer.status_code}"
            assert answer.headers["location"].startswith("/login"), path


def test_every_answer_carries_the_headers_that_protect_its_reader(still_city: Any) -> None:
    stranger, worker = still_city.stranger(), still_city.as_("worker")
    answers = [
        stranger.get("/livez"),
        stranger.get("/api/incidents"),
        stranger.get("/nothing/here"),
        stranger.post("/livez"),
        stranger.get("/static/map.js"),
        worker.get("/api/me"),
        worker.get("/home"),
    ]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "object-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["permissions-policy"] == "geolocation=(self)"
        assert len(answer.headers["x-request-id"]) == 32


def test_what_a_person_sees_is_not_kept_and_our_own_files_are(still_city: Any) -> None:
    worker = still_city.as_("worker")

    assert worker.get("/api/me").headers["cache-control"] == "no-store"
    assert worker.get("/home").headers["cache-control"] == "no-store"
    assert worker.get("/static/map.js").headers["cache-control"] == "public, no-cache"
    assert "immutable" in worker.get("/static/map.js?v=0123456789ab").headers["cache-control"]


def test_unknown_addresses_and_methods_answer_as_problems(still_city: Any) -> None:
    stranger = still_city.stranger()

    assert stranger.get("/api/nothing").json()["code"] == "no_such_address"
    assert stranger.delete("/api/incidents").json()["code"] == "method_not_allowed"
    assert stranger.get("/api/nothing").headers["content-type"] == "application/problem+json"


def test_a_person_reads_of_an_error_on_a_page(still_city: Any) -> None:
    answer = still_city.as_("worker").get("/incidents/2026060399010199999", headers={"accept": "text/html"})

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "incident_not_found" in answer.text


def test_a_body_of_more_than_a_megabyte_is_refused_announced_or_not(still_city: Any) -> None:
    client = still_city.as_("hotline")
    big = b" " * (MOST_BYTES + 1)

    announced = client.post("/api/incidents", content=big, headers={"content-type": "application/json"})
    slowly = client.post(
        "/api/incidents",
        content=(big[at : at + 65536] for at in range(0, len(big), 65536)),
        headers={"content-type": "application/json"},
    )

    for answer in (announced, slowly):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_fault_of_ours_is_logged_and_told_without_detail(
    still_city: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr("grids.register.find_incidents", broken)
    with caplog.at_level(logging.ERROR):
        answer = still_city.as_("worker").get("/api/incidents")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "a secret of the house" in caplog.text


def test_the_log_names_the_route_and_never_what_was_asked_for(
    still_city: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = still_city.as_("hotline")
    with caplog.at_level(logging.INFO, logger="gridwhistle.access"):
        client.get("/api/incidents", params={"q": "13812345678", "area": "990101"})
        client.get("/api/incidents/2026060399010100001/trace")

    records: list[Any] = [record for record in caplog.records if record.name == "gridwhistle.access"]
    lines = [record.facts for record in records]
    assert [line["route"] for line in lines] == ["/api/incidents", "/api/incidents/{number}/trace"]
    assert "13812345678" not in json.dumps(lines)
    assert all(isinstance(line["person"], int) for line in lines)


def test_the_description_knows_every_json_route_and_one_shape_of_errors(still_city: Any) -> None:
    document = still_city.stranger().get("/openapi.json").json()

    schemas = document["components"]["schemas"]
    assert "Problem" in schemas
    assert "HTTPValidationError" not in schemas
    described = {
        f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
    }
    served = {
        name
        for route in contexts(still_city.app.routes)
        for name in named(route)
        if name.partition(" ")[2].startswith("/api/")
    }
    assert served <= described
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")) and path != "/readyz":
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
