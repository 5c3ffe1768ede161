"""From a message to its sendings: bundled, one a minute, at the right hour, at least once and never lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from grids import contacts, outbox, roster
from grids.outbox import Wording
from grids.rules.grading import Grade
from grids.rules.messages import LEASE, MOST_TRIES, DeliveryStatus, Way
from grids.rules.roster import Hours
from grids.tables import Contact, Delivery, DeliveryItem, Message, Person, Post


def render(language: str, messages: Sequence[Message], more: int) -> Wording:
    return Wording(f"{language} {len(messages) + more}", "\n".join(one.template for one in messages))


def told_by(city: Any, login: str, way: Way = Way.EMAIL, **said: Any) -> Contact:
    """Give a person a confirmed address."""
    contact = Contact(
        person_id=city[login].person_id,
        way=way,
        address=f"{login}@example.org",
        language=said.get("language", "zh-CN"),
        urgent_only=said.get("urgent_only", False),
        added_at=city.clock(),
        confirmed_at=None if said.get("unconfirmed") else city.clock(),
    )
    city.session.add(contact)
    city.session.flush()
    return contact


def tell(city: Any, login: str, *templates: str, incident: Any = None) -> None:
    for template in templates:
        outbox.post(
            city.session,
            [city[login].person_id],
            template,
            {"number": "N"},
            incident_id=incident.id if incident else None,
            now=city.clock(),
        )
    city.session.flush()


def route(city: Any) -> int:
    return outbox.route(city.session, city.clock(), render=render)


def claim(city: Any, limit: int = 100) -> list[outbox.Sending]:
    return outbox.claim(city.session, city.clock(), limit=limit)


def sent(city: Any) -> list[outbox.Sending]:
    """Send all that may go now."""
    taken = claim(city)
    for sending in taken:
        outbox.record(city.session, sending, city.clock())
    return taken


def row(city: Any) -> Delivery:
    return city.session.scalars(select(Delivery).execution_options(populate_existing=True)).one()


def test_messages_of_one_minute_leave_together_in_the_readers_language(city):
    told_by(city, "leader", language="en")
    tell(city, "leader", "a", "b")

    assert route(city) == 2
    (sending,) = sent(city)

    assert (sending.subject, sending.body) == ("en 2", "a\nb")
    assert route(city) == 0


def test_what_comes_within_the_minute_joins_the_next_sending(city):
    told_by(city, "leader")
    gone = []
    for second in range(0, 180, 10):
        tell(city, "leader", f"m{second}")
        route(city)
        gone += [(second, sending.body.split("\n")) for sending in sent(city)]
        city.clock.advance(seconds=10)
    gone += [(180, sending.body.split("\n")) for sending in sent(city)]

    assert [second for second, _ in gone] == [0, 60, 120, 180]
    assert [one for _, body in gone for one in body] == [f"m{second}" for second in range(0, 180, 10)]


def test_two_ways_are_two_sendings(city):
    told_by(city, "leader")
    told_by(city, "leader", Way.SMS)
    tell(city, "leader", "a")
    route(city)

    assert sorted(sending.way for sending in sent(city)) == [Way.EMAIL, Way.SMS]


def test_nothing_goes_to_an_address_that_nobody_confirmed_or_that_was_taken_off(city):
    told_by(city, "leader", unconfirmed=True)
    told_by(city, "leader", Way.SMS).ended_at = city.clock()
    tell(city, "leader", "a")

    assert route(city) == 1
    assert claim(city) == []


def test_what_was_read_in_the_inbox_before_is_not_sent(city):
    told_by(city, "leader")
    tell(city, "leader", "a")
    outbox.mark_read(city.session, city["leader"].person_id, up_to=10**9, now=city.clock())
    route(city)

    assert claim(city) == []


@pytest.mark.parametrize(("grade", "goes"), [(Grade.RED, 1), (Grade.ORANGE, 1), (Grade.YELLOW, 0), (None, 0)])
def test_an_address_for_urgent_cases_hears_of_red_and_orange_only(city, grade, goes):
    told_by(city, "leader", urgent_only=True)
    incident = city.report()
    incident.grade = grade or incident.grade
    city.session.flush()
    city.session.execute(Message.__table__.update().values(routed_at=city.clock()))
    tell(city, "leader", "a", incident=incident if grade else None)
    route(city)

    assert len(claim(city)) == goes


def post_of(city: Any, login: str) -> Post:
    return city.session.scalars(select(Post).where(Post.person_id == city[login].person_id)).one()


OFFICE = [Hours(time(8, 30), time(17, 30), weekday=day) for day in range(5)]


def test_what_is_not_urgent_waits_while_its_reader_is_off_duty(city):
    told_by(city, "leader")
    roster.set_hours(city.session, post_of(city, "leader").id, OFFICE, by=city["leader"])
    city.clock.advance(hours=10)  # seven in the evening
    tell(city, "leader", "a")
    route(city)
    assert claim(city) == []

    city.clock.advance(hours=13, minutes=29)
    assert claim(city) == []
    city.clock.advance(minutes=1)
    assert [sending.body for sending in claim(city)] == ["a"]


def test_what_is_urgent_wakes_its_reader_and_brings_the_rest_along(city):
    told_by(city, "leader")
    roster.set_hours(city.session, post_of(city, "leader").id, OFFICE, by=city["leader"])
    city.clock.advance(hours=10)
    tell(city, "leader", "a")
    route(city)
    incident = city.report()
    incident.grade = Grade.RED
    city.session.flush()
    city.session.execute(Message.__table__.update().values(routed_at=city.clock()))
    tell(city, "leader", "b", incident=incident)
    route(city)

    assert [sending.body for sending in claim(city)] == ["a\nb"]


def test_outside_its_hours_a_post_is_empty_and_its_whistle_climbs_at_once(city):
    roster.set_hours(city.session, post_of(city, "leader").id, OFFICE, by=city["leader"])
    city.clock.advance(hours=10)

    incident = city.accepted()

    assert city.whistle(incident, 2) is not None
    assert "whistle.first" not in city.told("leader")


def test_who_stands_in_is_whistled_instead(city):
    night = Hours(time(17, 30), time(8, 30), weekday=2, stands_in=city["leader2"].person_id)
    roster.set_hours(city.session, post_of(city, "leader").id, [*OFFICE, night], by=city["leader"])
    city.clock.advance(hours=10)

    incident = city.accepted()

    assert city.whistle(incident, 2) is None
    assert "whistle.first" in city.told("leader2")
    assert "whistle.first" not in city.told("leader")


def test_a_try_that_fails_comes_again_later_each_time_and_ends(city):
    told_by(city, "leader")
    tell(city, "leader", "a")
    route(city)
    keys, waits = set(), []
    for _ in range(MOST_TRIES):
        (sending,) = claim(city)
        keys.add(sending.key)
        outbox.record(city.session, sending, city.clock(), error="http_503")
        waits.append((row(city).next_try_at - city.clock()) / timedelta(minutes=1))
        city.clock.advance(hours=3)

    assert len(keys) == 1
    assert [round(wait) // 1 for wait in waits[:1]] == [1]
    assert all(later >= wanted for later, wanted in zip(waits, [1, 2, 4, 8, 16, 32, 64], strict=False))
    assert (row(city).status, row(city).error, row(city).tries) == (DeliveryStatus.FAILED, "http_503", 8)
    assert claim(city) == []


def test_what_can_never_arrive_ends_at_once(city):
    told_by(city, "leader")
    tell(city, "leader", "a")
    route(city)
    (sending,) = claim(city)

    outbox.record(city.session, sending, city.clock(), error="host_not_allowed", final=True)

    assert row(city).status is DeliveryStatus.FAILED


def test_a_sending_in_the_hands_of_a_killed_worker_is_taken_up_after_the_lease_with_the_same_key(city):
    told_by(city, "leader")
    tell(city, "leader", "a")
    route(city)
    (first,) = claim(city)
    city.clock.advance(seconds=LEASE.total_seconds() - 1)
    assert claim(city) == []
    city.clock.advance(seconds=1)

    (second,) = claim(city)

    assert (second.key, second.tries) == (first.key, 2)
    # the first was slow, not dead: that it failed is the second's to tell, that it arrived is news
    outbox.record(city.session, first, city.clock(), error="timeout")
    assert row(city).status is DeliveryStatus.SENDING
    outbox.record(city.session, first, city.clock())
    outbox.record(city.session, second, city.clock(), error="timeout")
    assert row(city).status is DeliveryStatus.SENT


def test_a_sending_that_kills_every_worker_ends(city):
    told_by(city, "leader")
    tell(city, "leader", "a")
    route(city)
    for _ in range(MOST_TRIES):
        assert len(claim(city)) == 1
        city.clock.advance(seconds=LEASE.total_seconds())

    assert claim(city) == []
    assert (row(city).status, row(city).error) == (DeliveryStatus.FAILED, "no_word")


def test_a_sending_that_was_tried_grows_no_more(city):
    told_by(city, "leader")
    tell(city, "leader", "a")
    route(city)
    (first,) = claim(city)
    outbox.record(city.session, first, city.clock(), error="timeout")
    tell(city, "leader", "b")
    route(city)
    city.clock.advance(minutes=3)

    bodies = []
    for _ in range(2):
        bodies += [sending.body for sending in sent(city)]
        city.clock.advance(minutes=1)

    assert sorted(bodies) == ["a", "b"]


def test_a_receipt_marks_what_the_sending_held_as_read(city):
    told_by(city, "leader")
    tell(city, "leader", "a", "b")
    route(city)
    key = row(city).key
    assert not outbox.receipt(city.session, key, now=city.clock())  # nobody can have read it yet
    sent(city)

    assert outbox.receipt(city.session, key, now=city.clock())

    assert outbox.unread(city.session, city["leader"].person_id) == []
    assert row(city).read_at == city.clock()


def test_reading_in_the_inbox_marks_the_sending_once_all_of_it_is_read(city):
    told_by(city, "leader")
    tell(city, "leader", "a", "b")
    route(city)
    sent(city)
    first, second = sorted(one.id for one in outbox.unread(city.session, city["leader"].person_id))

    outbox.mark_read(city.session, city["leader"].person_id, up_to=first, now=city.clock())
    assert row(city).read_at is None
    outbox.mark_read(city.session, city["leader"].person_id, up_to=second, now=city.clock())
    assert row(city).read_at == city.clock()


def test_after_an_outage_ten_thousand_messages_leave_bundled_one_a_minute_a_reader(city):
    people = [Person(login=f"p{n}", name=f"p{n}") for n in range(50)]
    city.session.add_all(people)
    city.session.flush()
    for person in people:
        city.session.add(
            Contact(
                person_id=person.id,
                way=Way.EMAIL,
                address=f"{person.login}@example.org",
                language="en",
                added_at=city.clock(),
                confirmed_at=city.clock(),
            )
        )
    city.session.flush()
    city.session.execute(
        insert(Message),
        [
            {"person_id": people[n % 50].id, "template": f"t{n}", "facts": {}, "posted_at": city.clock()}
            for n in range(10_000)
        ],
    )
    city.clock.advance(hours=1)  # nobody routed or sent meanwhile

    gone: dict[str, list[int]] = {}
    for second in range(0, 300, 20):
        while route(city):
            pass
        while taken := sent(city):
            for sending in taken:
                gone.setdefault(sending.address, []).append(second)
        tell_everyone(city, people, f"later {second}")
        city.clock.advance(seconds=20)

    assert len(gone) == 50
    assert {tuple(seconds) for seconds in gone.values()} == {(0, 60, 120, 180, 240)}
    held = city.session.scalar(select(func.count()).select_from(DeliveryItem))
    assert held == 10_000 + 50 * 14


def tell_everyone(city: Any, people: list[Person], template: str) -> None:
    outbox.post(
        city.session, [person.id for person in people], template, {}, incident_id=None, now=city.clock()
    )
    city.session.flush()


def code_words(_language: str, code: str) -> Wording:
    return Wording("code", code)


def added(city: Any, address: str = "leader@example.org", way: Way = Way.EMAIL) -> Contact:
    return contacts.add(
        city.session,
        way,
        address,
        language="en",
        urgent_only=False,
        by=city["leader"],
        now=city.clock(),
        words=code_words,
    )


def test_an_address_is_confirmed_by_the_code_that_was_sent_there(city):
    contact = added(city)
    (sending,) = sent(city)
    assert (sending.address, sending.subject) == ("leader@example.org", "code")

    assert contacts.confirm(city.session, contact.id, sending.body, by=city["leader"], now=city.clock())

    assert contact.confirmed_at == city.clock()


def test_a_code_is_not_guessed(city):
    contact = added(city)
    (sending,) = sent(city)
    wrong = f"{(int(sending.body) + 1) % 1_000_000:06d}"
    for _ in range(5):
        assert not contacts.confirm(city.session, contact.id, wrong, by=city["leader"], now=city.clock())

    with pytest.raises(Exception, match="have a new one sent"):
        contacts.confirm(city.session, contact.id, sending.body, by=city["leader"], now=city.clock())
    assert contact.confirmed_at is None


def test_a_code_is_over_after_ten_minutes_and_a_new_one_is_sent_once_a_minute(city):
    contact = added(city)
    with pytest.raises(Exception, match="less than a minute"):
        contacts.send_code(city.session, contact.id, by=city["leader"], now=city.clock(), words=code_words)
    (sending,) = sent(city)
    city.clock.advance(minutes=11)
    with pytest.raises(Exception, match="over"):
        contacts.confirm(city.session, contact.id, sending.body, by=city["leader"], now=city.clock())

    contacts.send_code(city.session, contact.id, by=city["leader"], now=city.clock(), words=code_words)
    (again,) = sent(city)

    assert contacts.confirm(city.session, contact.id, again.body, by=city["leader"], now=city.clock())


def test_one_address_a_way_and_somebody_elses_is_not_found(city):
    contact = added(city)
    with pytest.raises(Exception, match="take that one off"):
        added(city, "other@example.org")
    with pytest.raises(Exception, match="no address"):
        contacts.remove(city.session, contact.id, by=city["leader2"], now=city.clock())

    contacts.remove(city.session, contact.id, by=city["leader"], now=city.clock())
    city.clock.advance(minutes=2)

    assert added(city).id == contact.id  # the same row, to be confirmed anew
    assert contact.confirmed_at is None


def test_nobody_but_an_administrator_says_the_hours_of_another(city):
    post = post_of(city, "leader")
    with pytest.raises(Exception, match="holds the post"):
        roster.set_hours(city.session, post.id, OFFICE, by=city["platform"])
    with pytest.raises(Exception, match="no post"):
        roster.set_hours(city.session, post.id, OFFICE, by=city["leader3"])
    with pytest.raises(Exception, match="stands in"):
        roster.set_hours(
            city.session,
            post.id,
            [Hours(time(8), time(9), weekday=1, stands_in=city["leader3"].person_id)],
            by=city["leader"],
        )
