"""What is answered is written, what is refused leaves nothing, and two at once have one winner."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from api.database import make_engine
from api.deps import unit_of_work
from api.problems import install

TABLES = ("incident", "whistle", "task", "trace", "deadline", "message", "reporter", "callback", "score")


def break_commits(city: Any, errcode: str) -> None:
    """Let every transaction that adds an incident fail at its very end, in COMMIT itself."""
    with city.database.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION 'refused at commit' USING ERRCODE = '{errcode}'; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON incident DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        )


@pytest.mark.parametrize(
    ("errcode", "status", "code"),
    [
        ("40001", 503, "database_busy"),  # serialization failure
        ("40P01", 503, "database_busy"),  # deadlock
        ("55P03", 503, "database_busy"),  # lock not available
        ("57014", 503, "database_busy"),  # statement timeout
        ("53300", 503, "database_busy"),  # too many connections
        ("23505", 409, "stale_version"),  # somebody else was first
        ("23514", 500, "internal_error"),  # a bug of ours
        ("22003", 422, "unusable_value"),  # out of range
    ],
)
def test_a_commit_that_fails_is_never_answered_as_done(
    city: Any, errcode: str, status: int, code: str
) -> None:
    break_commits(city, errcode)

    answer = city.as_("hotline").post("/api/incidents", json=city.said(), headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "refused at commit" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)
    assert set(city.count(*TABLES, "idempotency_key").values()) == {0}


def test_with_the_default_scope_of_dependencies_it_would_be(city: Any) -> None:
    # the control of the test above: the same session, committed after the answer, has already said 201
    app = FastAPI()
    app.state.database = city.database
    install(app)

    @app.post("/late", status_code=201)
    def late(session: Annotated[Session, Depends(unit_of_work)]) -> None:
        session.execute(text("INSERT INTO number_series (name, last) VALUES ('x', 1)"))

    with city.database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE number_series ADD CONSTRAINT never CHECK (true)"))
        connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '40001'; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON number_series DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        )

    answer = TestClient(app, raise_server_exceptions=False).post("/late")

    assert answer.status_code == 201
    assert city.count("number_series") == {"number_series": 0}


def test_a_database_that_is_away_is_503_and_comes_back_by_itself(city: Any, cluster: Any) -> None:
    client, name = city.as_("hotline"), city.database.engine.url.database
    admin = make_engine(cluster.url("postgres"))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(
            text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        )

        away = client.post("/api/incidents", json=city.said())
        health = city.stranger().get("/readyz")
        alive = city.stranger().get("/livez")

        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    admin.dispose()

    assert (away.status_code, away.json()["code"]) == (503, "database_busy")
    assert int(away.headers["retry-after"]) > 0
    assert health.status_code == 503
    assert alive.status_code == 200
    assert client.post("/api/incidents", json=city.said()).status_code == 201


REFUSED: list[tuple[str, str, dict[str, Any] | None]] = [
    ("leader", "whistles/{first}/solve", {"result": "x"}),  # it was passed up already
    ("leader", "whistles/{first}/escalate", {"reason": "x"}),
    ("centre", "whistles/{second}/assign", {"office": "x", "instruction": "x"}),
    ("office", "whistles/{second}/escalate", {"reason": "x"}),
    ("office", "whistles/{third}/verify", {}),
    ("centre", "whistles/{third}/archive", None),
    ("town", "whistles/{third}/refuse", {"reason": "x"}),
    ("town", "whistles/{third}/confirm", None),
    ("scjg", "tasks/{task}/start", None),
    ("scjg", "tasks/{task}/complete", {"result": "x"}),
    ("office", "tasks/{task}/score", {"response": 100, "handling": 100, "result": 100}),
    ("office", "tasks/{task}/rework", {"comment": "x"}),
    ("centre", "incidents/{number}/accept", {}),
    ("worker", "incidents/{number}/verify", {"passed": True}),
    ("callback", "incidents/{number}/reopen", {"reason": "x"}),
    ("platform", "incidents/{number}/place", {"code": "990101001001001"}),
    ("office", "incidents/{number}/resolve", {"result": "x"}),
]


@pytest.fixture(scope="module")
def underway(still_city: Any) -> dict[str, Any]:
    """A case whose departments have been called and have not answered."""
    city = still_city
    number = city.report()
    city.act("centre", f"incidents/{number}/accept", {"level": 1})
    first = city.whistle(number, 1)
    city.act("leader", f"whistles/{first}/escalate", {"reason": "x"})
    second = city.whistle(number, 2)
    city.act("centre", f"whistles/{second}/file", {"liaison_name": "孙", "liaison_phone": "13855550000"})
    city.act("centre", f"whistles/{second}/assign", {"office": "x", "instruction": "x"})
    city.act("office", f"whistles/{second}/escalate", {"reason": "x"})
    draft = {"level": 3, "reason": "x", "appointed_at": "2026-06-03T19:00:00+08:00", "appointed_place": "x"}
    third = city.act("office", f"incidents/{number}/whistles", draft, 201)["number"]
    task = city.act("town", f"whistles/{third}/confirm")
    task = city.see("office", f"whistles/{third}")["tasks"][0]["id"]
    return {"number": number, "first": first, "second": second, "third": third, "task": task}


@pytest.mark.parametrize(("by", "path", "body"), REFUSED, ids=[f"{r[1]} by {r[0]}" for r in REFUSED])
def test_an_act_that_the_state_does_not_allow_is_409_and_writes_nothing(
    still_city: Any, underway: dict[str, Any], by: str, path: str, body: dict[str, Any] | None
) -> None:
    before = still_city.count(*TABLES)
    case = still_city.see("platform", f"incidents/{underway['number']}")

    answer = still_city.act(by, path.format(**underway), body, 409)

    assert answer["code"] in ("illegal_transition", "already_placed", "parts_open", "parts_not_accepted")
    assert still_city.count(*TABLES) == before
    assert still_city.see("platform", f"incidents/{underway['number']}") == case


@pytest.mark.parametrize(
    ("by", "path", "body"),
    [
        ("town", "whistles/{first}/answer", None),
        ("office", "whistles/{third}/archive", None),
        ("hotline", "incidents/{number}/accept", {}),
        ("scjg", "tasks/{task}/score", {"response": 1, "handling": 1, "result": 1, "comment": "x"}),
    ],
)
def test_an_act_by_another_role_is_refused_and_writes_nothing(
    still_city: Any, underway: dict[str, Any], by: str, path: str, body: dict[str, Any] | None
) -> None:
    before = still_city.count(*TABLES)

    answer = still_city.as_(by).post(f"/api/{path.format(**underway)}", json=body)

    assert answer.status_code in (403, 409)
    assert still_city.count(*TABLES) == before


def test_two_who_confirm_at_once_have_one_winner_and_one_set_of_tasks(city: Any) -> None:
    number = city.report()
    city.act("centre", f"incidents/{number}/accept", {"level": 2})
    second = city.whistle(number, 2)
    city.act("centre", f"whistles/{second}/file", {"liaison_name": "孙", "liaison_phone": "13855550000"})
    draft = {"level": 3, "reason": "x", "appointed_at": "2026-06-03T19:00:00+08:00", "appointed_place": "x"}
    third = city.act("office", f"incidents/{number}/whistles", draft, 201)["number"]
    client, statuses = city.as_("town"), []
    rivals = [
        threading.Thread(
            target=lambda: statuses.append(client.post(f"/api/whistles/{third}/confirm").status_code)
        )
        for _ in range(8)
    ]

    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()

    assert Counter(statuses) == {200: 1, 409: 7}
    assert city.count("task") == {"task": 4}
    assert city.first_broken(number) is None
