"""The postman against a real receiver: nothing is lost though it is killed, repeats carry the same key."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from api import postman
from api.senders import senders_of
from api.settings import Settings
from api.wording import renderer
from grids import outbox
from grids.rules.messages import LEASE, DeliveryStatus, Way
from grids.tables import Contact, Delivery, Message, Person

START = datetime(2026, 6, 3, 1, 0, tzinfo=UTC)
RENDER = renderer("https://grid.example.org")


class Receiver:
    """A webhook on this machine that takes a moment, writes down every key it took, and refuses on request."""

    def __init__(self, pause: float = 0.0) -> None:
        self.taken: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.down = False
        self.guard = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = 503 if outer.down else 200
                if not outer.down:
                    with outer.guard:
                        outer.taken.append(self.headers["Idempotency-Key"])
                        outer.bodies.append(json.loads(body))
                    time.sleep(pause)  # taken, and not yet told so: here a kill makes a repeat
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver()
    yield opened
    opened.close()


def settings() -> Settings:
    return Settings(
        webhook_secret="s",
        outgoing_hosts="127.0.0.1",
        outgoing_networks="127.0.0.0/8",
        worker_poll_seconds=0.05,
    )


def readers(session: Session, url: str, many: int) -> list[int]:
    """Put people on record who are told by a webhook."""
    people = [Person(login=f"reader{n}", name=f"reader{n}") for n in range(many)]
    session.add_all(people)
    session.flush()
    session.execute(
        insert(Contact),
        [
            {
                "person_id": person.id,
                "way": Way.WEBHOOK,
                "address": f"{url}?{person.login}",
                "language": "en",
                "added_at": START,
                "confirmed_at": START,
            }
            for person in people
        ],
    )
    return [person.id for person in people]


def post_to(session: Session, people: list[int], each: int = 1) -> None:
    session.execute(
        insert(Message),
        [
            {
                "person_id": person,
                "template": "incident.reported",
                "facts": {"number": "N1"},
                "posted_at": START,
            }
            for person in people
            for _ in range(each)
        ],
    )


def statuses(city: Any) -> Counter[str]:
    with city.database.readers() as session:
        return Counter(status.value for status in session.scalars(select(Delivery.status)))


def test_what_is_posted_arrives_in_words_and_nobody_holds_a_transaction_meanwhile(
    city: Any, receiver: Receiver
) -> None:
    with city.database.sessions() as session:
        post_to(session, readers(session, receiver.url, 3), each=2)
        session.commit()

    assert postman.route_all(city.database, city.clock, RENDER) == 6
    done = postman.deliver(city.database, city.clock, senders_of(settings()))

    assert (done.sent, done.again, done.failed) == (3, 0, 0)
    assert {body["subject"] for body in receiver.bodies} == {"Gridwhistle: 2 messages"}
    assert receiver.bodies[0]["text"].endswith("https://grid.example.org/incidents/N1")


def test_no_connection_is_open_in_a_transaction_while_a_sending_is_on_its_way(city: Any) -> None:
    slow = Receiver(pause=1.0)
    with city.database.sessions() as session:
        post_to(session, readers(session, slow.url, 2))
        session.commit()
    postman.route_all(city.database, city.clock, RENDER)
    working = threading.Thread(
        target=postman.deliver, args=(city.database, city.clock, senders_of(settings()))
    )
    working.start()
    while len(slow.taken) < 2:
        time.sleep(0.01)

    with city.database.readers() as session:
        waiting = session.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
            )
        )
    working.join()
    slow.close()

    assert waiting == 0


def test_while_the_receiver_is_down_nothing_is_lost_and_then_it_all_arrives_once(
    city: Any, receiver: Receiver
) -> None:
    receiver.down = True
    with city.database.sessions() as session:
        people = readers(session, receiver.url, 20)
        post_to(session, people)
        session.commit()
    postman.route_all(city.database, city.clock, RENDER)
    for _ in range(4):
        postman.deliver(city.database, city.clock, senders_of(settings()))
        city.clock.advance(minutes=10)
    receiver.down = False
    for _ in range(3):
        postman.deliver(city.database, city.clock, senders_of(settings()))
        city.clock.advance(minutes=15)

    assert statuses(city) == {"sent": 20}
    assert Counter(Counter(receiver.taken).values()) == {1: 20}


def test_two_postmen_send_each_thing_once(city: Any, receiver: Receiver) -> None:
    with city.database.sessions() as session:
        post_to(session, readers(session, receiver.url, 60))
        session.commit()

    def work() -> None:
        postman.route_all(city.database, city.clock, RENDER)
        for _ in range(10):
            postman.deliver(city.database, city.clock, senders_of(settings()))

    both = [threading.Thread(target=work) for _ in range(3)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert Counter(Counter(receiver.taken).values()) == {1: 60}


def test_a_way_that_was_taken_down_keeps_its_sendings(city: Any, receiver: Receiver) -> None:
    with city.database.sessions() as session:
        post_to(session, readers(session, receiver.url, 1))
        session.commit()
    postman.route_all(city.database, city.clock, RENDER)

    done = postman.deliver(city.database, city.clock, {})

    assert (done.again, statuses(city)) == (1, {"waiting": 1})


def test_it_runs_until_it_is_told_to_stop(city: Any, receiver: Receiver) -> None:
    stop = threading.Event()
    thread = threading.Thread(
        target=postman.run,
        args=(city.database, city.clock, senders_of(settings()), RENDER),
        kwargs={"poll_seconds": 0.02, "stop": stop},
    )
    thread.start()
    with city.database.sessions() as session:
        post_to(session, readers(session, receiver.url, 1))
        session.commit()
    end = time.monotonic() + 10
    while not receiver.taken and time.monotonic() < end:
        time.sleep(0.02)
    stop.set()
    thread.join(5)

    assert len(receiver.taken) == 1
    assert not thread.is_alive()


# -- killed while it sends

ZYGOTE = """
import os, sys, json
from datetime import datetime, timedelta
from api import postman
from api.database import Database, make_engine, make_sessionmaker
from api.senders import senders_of
from api.settings import Settings
from api.wording import renderer
url, start = sys.argv[1], datetime.fromisoformat(sys.argv[2])
settings = Settings(webhook_secret="s", outgoing_hosts="127.0.0.1", outgoing_networks="127.0.0.0/8")
render = renderer(None)
print("ready", flush=True)
for line in sys.stdin:
    minutes, lanes = json.loads(line)
    child = os.fork()
    if child == 0:
        engine = make_engine(url)
        database = Database(engine, make_sessionmaker(engine), make_sessionmaker(engine, readonly=True), None)
        clock = lambda: start + timedelta(minutes=minutes)
        postman.route_all(database, clock, render)
        postman.deliver(database, clock, senders_of(settings), lanes=lanes)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize("lanes", [1, postman.LANES])
def test_killed_in_the_middle_it_loses_nothing_and_repeats_no_more_than_it_had_in_hand(
    city: Any, soak: bool, publish: Any, lanes: int
) -> None:
    kills_wanted = 200 if soak else 10
    slow = Receiver(pause=0.02)
    with city.database.sessions() as session:
        post_to(session, readers(session, slow.url, kills_wanted * 8 * (1 if lanes == 1 else 4)))
        session.commit()
    url = city.database.engine.url.render_as_string(hide_password=False)
    zygote = subprocess.Popen(
        [sys.executable, "-c", ZYGOTE, url, START.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert zygote.stdin is not None
    assert zygote.stdout is not None
    assert zygote.stdout.readline() == "ready\n"
    luck, kills, minutes = random.Random(20260603), 0, 0.0
    lease = LEASE / timedelta(minutes=1)
    while kills < kills_wanted:
        zygote.stdin.write(json.dumps([minutes, lanes]) + "\n")
        zygote.stdin.flush()
        child = int(zygote.stdout.readline())
        taken, seen = len(slow.taken), time.monotonic()
        while len(slow.taken) == taken and time.monotonic() - seen < 5:  # it is at work: something arrived
            time.sleep(0.001)
        time.sleep(luck.random() * 0.06)
        try:
            os.kill(child, signal.SIGKILL)
            kills += 1
        except ProcessLookupError:
            pass
        minutes += lease
    for _ in range(4):  # and then one is left in peace, past every lease and pause
        zygote.stdin.write(json.dumps([minutes, postman.LANES]) + "\n")
        zygote.stdin.flush()
        zygote.stdout.readline()
        minutes += 180
    zygote.stdin.close()
    assert zygote.wait(120) == 0
    zygote.stdout.close()
    slow.close()

    with city.database.readers() as session:
        keys = {str(key) for key in session.scalars(select(Delivery.key))}
        states = Counter(session.scalars(select(Delivery.status)))
    arrived = Counter(slow.taken)
    repeats = sum(arrived.values()) - len(arrived)
    assert arrived.keys() == keys  # none lost, and none that has another key
    assert states == {DeliveryStatus.SENT: len(keys)}
    assert 0 < repeats <= kills * lanes
    figures = {"lanes": lanes, "sent": len(keys), "kills": kills, "lost": 0, "repeats": repeats}
    publish("B7" if lanes == 1 else "B7-lanes", **figures)


def test_an_outbox_that_forgets_what_is_in_hand_would_lose_it(city: Any, receiver: Receiver) -> None:
    # the negative control of the test above: a sending that is in hand and never taken up again is lost
    with city.database.sessions() as session:
        post_to(session, readers(session, receiver.url, 1))
        session.commit()
    postman.route_all(city.database, city.clock, RENDER)
    with city.database.sessions() as session:
        assert len(outbox.claim(session, city.clock())) == 1
        session.commit()

    assert postman.deliver(city.database, city.clock, senders_of(settings())).sent == 0
    city.clock.advance(minutes=2)
    assert postman.deliver(city.database, city.clock, senders_of(settings())).sent == 1
