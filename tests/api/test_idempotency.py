"""A request that comes twice happens once, and both get the same answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from grids import repeats


def send(city: Any, key: str | None, body: Any = None, by: str = "hotline", path: str = "incidents") -> Any:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return city.as_(by).post(f"/api/{path}", json=body or city.said(), headers=headers)


def test_a_repeat_gets_the_first_answer_to_the_byte_and_files_nothing(city: Any) -> None:
    first = send(city, "key-1")
    city.clock.advance(minutes=3)
    second = send(city, "key-1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert (
        first.headers["location"] == second.headers["location"] == f"/api/incidents/{first.json()['number']}"
    )
    assert city.count("incident", "idempotency_key") == {"incident": 1, "idempotency_key": 1}


def test_another_key_or_none_files_another_incident(city: Any) -> None:
    numbers = {send(city, key).json()["number"] for key in ("key-1", "key-2", None, None)}

    assert len(numbers) == 4


def test_a_key_that_comes_with_another_body_is_refused(city: Any) -> None:
    send(city, "key-1")

    answer = send(city, "key-1", city.said(text="别的事情"))

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert answer.json()["field"] == "Idempotency-Key"
    assert city.count("incident") == {"incident": 1}


def test_a_key_belongs_to_one_person(city: Any) -> None:
    first = send(city, "key-1", by="hotline")
    second = send(city, "key-1", by="platform")

    assert first.json()["number"] != second.json()["number"]


def test_a_request_that_failed_does_not_use_its_key_up(city: Any) -> None:
    assert send(city, "key-1", city.said(frame="XX")).status_code == 422
    assert city.count("idempotency_key") == {"idempotency_key": 0}

    assert send(city, "key-1").status_code == 201


def test_a_whistle_that_is_blown_twice_by_a_retry_sounds_once(city: Any) -> None:
    number = city.report()
    city.act("centre", f"incidents/{number}/accept", {"level": 1})
    blow = {"level": 2, "reason": "劝导无效"}

    first = send(city, "w-1", blow, "leader", f"incidents/{number}/whistles")
    second = send(city, "w-1", blow, "leader", f"incidents/{number}/whistles")
    third = send(city, "w-2", blow, "leader", f"incidents/{number}/whistles")

    assert first.status_code == 201
    assert first.content == second.content
    assert third.status_code == 409
    assert city.count("whistle") == {"whistle": 2}


def test_twenty_copies_at_once_file_one_incident_and_get_one_answer(city: Any) -> None:
    city.as_("hotline")
    answers: list[Any] = []
    copies = [threading.Thread(target=lambda: answers.append(send(city, "storm"))) for _ in range(20)]

    for copy in copies:
        copy.start()
    for copy in copies:
        copy.join()

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert city.count("incident", "trace") == {"incident": 1, "trace": 1}


def test_without_a_key_twenty_copies_file_twenty_incidents(city: Any) -> None:
    # the control of the test above: it is the key that holds them together
    city.as_("hotline")
    copies = [threading.Thread(target=lambda: send(city, None)) for _ in range(20)]

    for copy in copies:
        copy.start()
    for copy in copies:
        copy.join()

    assert city.count("incident", "trace") == {"incident": 20, "trace": 20}


@pytest.mark.parametrize("key", ["", " ", "a b", "ключ", "x" * 201, "a\tb"])
def test_a_key_that_is_none_is_refused(still_city: Any, key: str) -> None:
    answer = still_city.as_("hotline").post(
        "/api/incidents", json=still_city.said(), headers={"Idempotency-Key": key.encode()}
    )

    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


def test_keys_are_forgotten_after_a_while(city: Any) -> None:
    send(city, "key-1")
    city.clock.advance(days=8)
    send(city, "key-2")

    with city.database.sessions.begin() as session:
        from datetime import timedelta

        forgotten = repeats.forget(session, before=city.clock() - timedelta(days=7))

    assert forgotten == 1
    assert city.count("idempotency_key") == {"idempotency_key": 1}
