"""A request that comes twice happens once, however many copies come at the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from grids import repeats
from grids.tables import IdempotencyKey

pytestmark = [pytest.mark.database, pytest.mark.timeout(3600)]

_numbers = count(1)


@pytest.fixture
def city(http: Any, cluster: Any, city_template: str, worker_id: str, clock: Any) -> Iterator[Any]:
    """A city of its own for one test."""
    with http.open_city(cluster, city_template, f"copies_{worker_id}_{next(_numbers)}", clock) as opened:
        yield opened


def _storm(city: Any, keys: int, copies: int) -> tuple[dict[str, set[bytes]], Counter[int]]:
    """Send every key so many times at once; return the different answers of each key, and how often each status."""
    client = city.as_("hotline")
    answers: dict[str, set[bytes]] = {}
    statuses: Counter[int] = Counter()
    with ThreadPoolExecutor(copies) as pool:
        for number in range(keys):
            key, body = f"key-{number}", city.said(text=f"第{number}件事")
            sent = [
                pool.submit(client.post, "/api/incidents", json=body, headers={"Idempotency-Key": key})
                for _ in range(copies)
            ]
            for one in sent:
                answer = one.result()
                statuses[answer.status_code] += 1
                answers.setdefault(key, set()).add(answer.content)
    return answers, statuses


def test_every_key_files_one_report_and_all_copies_get_the_same_bytes(
    city: Any, soak: bool, publish: Any
) -> None:
    keys, copies = (500, 20) if soak else (40, 8)

    answers, statuses = _storm(city, keys, copies)
    other = [
        city.as_("hotline").post(
            "/api/incidents", json=city.said(text="别的事"), headers={"Idempotency-Key": key}
        )
        for key in answers
    ]

    assert statuses == {201: keys * copies}
    assert all(len(seen) == 1 for seen in answers.values())
    assert {(one.status_code, one.json()["code"]) for one in other} == {(422, "idempotency_key_reused")}
    stored = city.count("incident", "trace", "idempotency_key")
    assert stored == {"incident": keys, "trace": keys, "idempotency_key": keys}
    publish("A3", keys=keys, calls=keys * copies, rows=stored["incident"], extra=0, reused_refused=len(other))


def test_a_key_that_is_looked_up_and_not_held_lets_copies_through(
    city: Any, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(session: Any, person_id: int, key: str, _request_hash: bytes, *, now: Any) -> Any:
        kept = select(IdempotencyKey.answer).where(
            IdempotencyKey.person_id == person_id, IdempotencyKey.key == key
        )
        return session.scalar(kept)

    def keep(session: Any, person_id: int, key: str, status: int, answer: dict[str, Any]) -> None:
        values = {"person_id": person_id, "key": key, "request_hash": b"", "status": status}
        moment = city.clock()
        session.execute(
            insert(IdempotencyKey).values(**values, answer=answer, made_at=moment).on_conflict_do_nothing()
        )

    monkeypatch.setattr(repeats, "claim", look)
    monkeypatch.setattr(repeats, "keep", keep)

    answers, _ = _storm(city, 20, 8)

    filed = city.count("incident")["incident"]
    assert filed > 20  # the count above sees it
    assert any(len(seen) > 1 for seen in answers.values())
    publish("A3-control", keys=20, calls=160, rows=filed)
