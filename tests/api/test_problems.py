"""Errors in one shape: each names its code and its field, and nothing that was sent comes back."""

from __future__ import annotations

import json
import math
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.problems import FAMILIES, problem_of
from gis import errors

ROOT = Path(__file__).parents[2]


def test_every_family_of_the_city_has_a_status() -> None:
    for name in errors.__all__:
        error = getattr(errors, name)("some_code", "words")
        assert problem_of(error).status in {200 + 222, 404, 409, 403, 503, 500}, name
    assert problem_of(errors.OutsideDistrict("x", "y")).status == 422
    assert problem_of(errors.CityError("x", "y")).status == 500


def test_no_fact_takes_the_place_of_a_member_of_the_standard() -> None:
    error = errors.Conflict("real", "words", status=200, type="x", detail="y", title="z", machine="task")

    body = problem_of(error).to_json()

    assert (body["status"], body["code"], body["detail"]) == (409, "real", "words")
    assert body["machine"] == "task"


def test_facts_of_any_kind_can_be_written() -> None:
    facts = {
        "nan": math.nan,
        "infinite": -math.inf,
        "huge": 10**5000,
        "half": "\ud800 and \x00",
        "length": timedelta(minutes=2),
        "many": {1, 2},
        "inner": {"a": [errors.NotFound]},
    }

    body = problem_of(errors.InvalidInput("x", "y", **facts)).to_json()

    text = json.dumps(body, allow_nan=False)
    assert "\ud800".encode("utf-8", "surrogatepass") not in text.encode()
    assert body["half"] == "\ufffd and \ufffd"
    assert body["length"] == 120


def test_who_has_to_wait_is_told_how_long() -> None:
    assert problem_of(errors.Unavailable("x", "y")).headers["Retry-After"] == "2"
    assert problem_of(errors.Unavailable("x", "y", retry_after=5)).headers["Retry-After"] == "5"
    assert "Retry-After" not in problem_of(errors.Conflict("x", "y")).headers


BAD: list[tuple[str, Any, str, str]] = [
    # what is wrong, what is sent instead, code, field
    ("lon", math.nan, "invalid_field", "lon"),
    ("lat", math.inf, "invalid_field", "lat"),
    ("lat", -math.inf, "invalid_field", "lat"),
    ("lon", "117", "invalid_field", "lon"),
    ("lon", True, "invalid_field", "lon"),
    ("lon", 1e300, "invalid_field", "lon"),
    ("lon", None, "invalid_field", "lon"),
    ("accuracy_m", -1, "invalid_field", "accuracy_m"),
    ("frame", "XX", "unknown_frame", "frame"),
    ("frame", "WGS\u0000", "invalid_field", "frame"),
    ("channel", "carrier pigeon", "invalid_field", "channel"),
    ("text", "", "text_length", "text"),
    ("text", "   ", "text_length", "text"),
    ("text", "x" * 5000, "invalid_field", "text"),
    ("text", "a\u0000b", "invalid_field", "text"),
    ("text", "a\ud800b", "invalid_field", "text"),
    ("text", 7, "invalid_field", "text"),
    ("address", "two\nlines", "invalid_field", "address"),
    ("address", "\u0007", "invalid_field", "address"),
    ("category", "99-999", "unknown_category", "category"),
    ("category", "x; drop table", "invalid_field", "category"),
    ("reporter", {"phone": "12345"}, "bad_phone", "reporter.phone"),
    ("reporter", {"phone": "13812345678", "id": 1}, "unknown_field", "reporter.id"),
    ("reporter", [], "invalid_field", "reporter"),
    ("occurred_at", "2026-06-03T09:00:00", "invalid_field", "occurred_at"),
    ("occurred_at", 1780000000, "invalid_field", "occurred_at"),
    ("occurred_at", "9999-12-31T23:59:59-23:59", "invalid_field", "occurred_at"),
    ("occurred_at", "0001-01-01T00:00:00+23:59", "invalid_field", "occurred_at"),
    ("occurred_at", "2026-06-04T09:00:00+08:00", "time_out_of_range", "occurred_at"),
    ("occurred_at", "2024-06-03T09:00:00+08:00", "time_out_of_range", "occurred_at"),
    ("occurred_at", "yesterday", "invalid_field", "occurred_at"),
    ("status", "closed", "unknown_field", "status"),
    ("grade", "red", "unknown_field", "grade"),
    ("grid_code", "990101002001001", "unknown_field", "grid_code"),
    ("due_at", "2027-01-01T00:00:00+08:00", "unknown_field", "due_at"),
]


@pytest.mark.parametrize(("name", "value", "code", "place"), BAD, ids=[f"{b[0]}={b[1]!r:.20}" for b in BAD])
def test_a_report_that_cannot_be_used_names_its_field_and_leaves_nothing(
    still_city: Any, name: str, value: Any, code: str, place: str
) -> None:
    before = still_city.count("incident", "trace", "deadline", "message", "reporter")
    body = json.dumps(still_city.said() | {name: value})

    answer = post_raw(still_city, body)

    assert answer.status_code == 422, answer.text
    assert (answer.json()["code"], answer.json()["field"]) == (code, place)
    assert answer.headers["content-type"] == "application/problem+json"
    assert still_city.count("incident", "trace", "deadline", "message", "reporter") == before


def post_raw(city: Any, body: str | bytes, path: str = "incidents", by: str = "hotline") -> Any:
    content = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    return city.as_(by).post(f"/api/{path}", content=content, headers={"content-type": "application/json"})


RAW = {
    "1e999": b'{"lon": 1e999}',
    "NaN": b'{"lon": NaN}',
    "5,000 digits": b'{"lon": ' + b"9" * 5000 + b"}",
    "deep": b"[" * 100_000,
    "deep and closed": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "half a pair": b'{"text": "\\ud800"}',
    "half a key": b'{"\\udfff": 1}',
    "not utf-8": b'{"text": "\xff\xfe"}',
    "no json": b"lon=117&lat=36",
    "cut off": b'{"lon": 117.0',
    "a list": b"[]",
    "null": b"null",
    "a string": b'"report"',
    "empty": b"",
    "a bomb of a key": b'{"' + b"k" * 100_000 + b'": 1}',
}


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW.keys())
def test_a_body_that_is_no_report_is_refused_and_never_a_fault(still_city: Any, raw: bytes) -> None:
    answer = post_raw(still_city, raw)

    assert answer.status_code in (400, 422), answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_body_of_another_kind_is_refused(still_city: Any, kind: str) -> None:
    answer = still_city.as_("hotline").post(
        "/api/incidents", content=json.dumps(still_city.said()), headers={"content-type": kind}
    )

    assert answer.status_code in (400, 422)


def test_swapped_axes_are_noticed(still_city: Any) -> None:
    said = still_city.said() | {"lon": 36.01, "lat": 117.005}

    answer = post_raw(still_city, json.dumps(said))

    assert (answer.status_code, answer.json()["code"]) == (422, "axes_swapped")
    assert "swapped" in answer.json()["detail"]


QUERIES = [
    ("incidents", {"limit": 0}, "limit"),
    ("incidents", {"limit": 201}, "limit"),
    ("incidents", {"limit": 10**30}, "limit"),
    ("incidents", {"cursor": "nonsense"}, "cursor"),
    ("incidents", {"cursor": "4pyT"}, "cursor"),
    ("incidents", {"area": "99"}, "area"),
    ("incidents", {"area": "99010x"}, "area"),
    ("incidents", {"area": "９９０１０１"}, "area"),
    ("incidents", {"status": "nowhere"}, "status.0"),
    ("incidents", {"grade": "purple"}, "grade"),
    ("incidents", {"from": "yesterday"}, "from"),
    ("incidents", {"to": "2026-13-01"}, "to"),
    ("incidents", {"to": "9999-12-31"}, "to"),
    ("incidents", {"from": "2026-06-03T09:00:00"}, "from"),
    ("incidents", {"bbox": "1,2,3"}, "bbox"),
    ("incidents", {"bbox": "nan,nan,nan,nan"}, "bbox"),
    ("incidents", {"bbox": "117,36,116,37"}, "bbox"),
    ("incidents", {"bbox": "-1e999,0,1,1"}, "bbox"),
    ("incidents", {"q": "a\x00b"}, "q"),
    ("incidents/7", {}, "number"),
    ("incidents/202606039901010000a", {}, "number"),
    ("whistles/W%00", {}, "number"),
    ("whistles", {"level": 4}, "level"),
    ("tasks/0", {}, "task_id"),
    ("tasks/99999999999999999999", {}, "task_id"),
    ("tasks", {"status": "x"}, "status.0"),
    ("tasks", {"department": "a b"}, "department"),
    ("locate", {"lon": "nan", "lat": 36, "frame": "WGS84"}, "lon"),
    ("locate", {"lon": "1e999", "lat": 36, "frame": "WGS84"}, "lon"),
    ("locate", {"lon": 117, "lat": 36}, "frame"),
    ("locate", {"lon": 117.005, "lat": 36.01, "frame": "EPSG:4326x"}, "frame"),
    ("locate", {"lon": 117.005, "lat": 36.01, "frame": "WGS84", "category": "00-000"}, "category"),
    ("grids", {"level": "street"}, "level"),
    ("grids", {"edition": -1}, "edition"),
    ("grids/990101001001001001", {}, "code"),
    ("measures/hotspots", {"metric": "x"}, "metric"),
    ("measures/hotspots", {"from": "2026-06-02", "to": "2026-06-01"}, "to"),
    ("measures/responses", {"level": "district", "area": "990101001"}, "level"),
    ("departments", {"district": "x"}, "district"),
]


@pytest.mark.parametrize(("path", "query", "place"), QUERIES, ids=[f"{q[0]}?{q[1]}" for q in QUERIES])
def test_a_question_that_cannot_be_used_names_its_parameter(
    still_city: Any, path: str, query: dict[str, Any], place: str
) -> None:
    answer = still_city.as_("platform").get(f"/api/{path}", params=query)

    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == place


def test_no_telephone_number_and_no_text_comes_back_from_a_refusal(still_city: Any) -> None:
    canary, words = "13987650000", "KANARIENVOGEL"
    bodies = [
        still_city.said(reporter={"name": words, "phone": canary}, frame="XX"),
        still_city.said(reporter={"name": words, "phone": canary}, lon=math.nan),
        still_city.said(reporter={"name": words, "phone": canary + "9"}),
        still_city.said(text=words + canary, channel="x", reporter=canary),
        {"text": words, "phone": canary},
    ]

    for body in bodies:
        answer = post_raw(still_city, json.dumps(body))
        assert answer.status_code == 422
        assert canary not in answer.text
        assert words not in answer.text


def test_every_field_that_is_wrong_is_listed(still_city: Any) -> None:
    answer = post_raw(still_city, json.dumps({"lon": "x", "lat": 36, "colour": 1}))

    fields = [fault["field"] for fault in answer.json()["errors"]]
    assert fields == ["channel", "lon", "frame", "text", "colour"]


_OURS = re.compile(
    r"(?:BadRequest|NotSignedIn|SignInFirst|MethodNotAllowed|BodyTooLarge|TooManyTries|Failure)"
    r"\(\s*\"([a-z][a-z0-9_]+)\""
)


def test_the_codes_that_only_http_knows_are_explained_under_their_status() -> None:
    raised = {"invalid_json", "missing_field", "unknown_field", "invalid_field"}  # what pydantic finds
    for path in (ROOT / "api").rglob("*.py"):
        raised |= set(_OURS.findall(path.read_text("utf-8")))
    text = (ROOT / "docs" / "problems.md").read_text("utf-8")

    documented = dict(re.findall(r"^\| `([a-z0-9_]+)` \| (\d{3}) \|", text, re.MULTILINE))

    assert raised - set(documented) == set()
    assert set(documented.values()) == {str(status) for status, _ in FAMILIES.values()}
