"""What left the house: a few people of the demo are told elsewhere too, and the log shows what became of it.

The addresses cannot exist (RFC 2606), and the numbers are those of nobody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from grids import outbox
from grids.demo.names import mobile
from grids.demo.people import Staff
from grids.outbox import Render
from grids.rules.messages import Way
from grids.rules.permissions import Role
from grids.tables import Contact

__all__ = ["send"]


def send(session: Session, staff: Staff, now: datetime, render: Render) -> None:
    """Give three people an address and send them what waits for them; one of the sendings cannot be delivered."""
    district = staff.town[:6]
    told = (
        (staff.one(Role.TOWN_LEADER, staff.town), Way.EMAIL, "town@gridwhistle.invalid"),
        (staff.one(Role.DISTRICT_PLATFORM, district), Way.SMS, mobile(61_000_001)),
        (staff.one(Role.GOVERNANCE_CENTRE, district), Way.EMAIL, "governance@gridwhistle.invalid"),
    )
    added = now - timedelta(days=30)
    for actor, way, address in told:
        session.add(
            Contact(
                person_id=actor.person_id,
                way=way,
                address=address,
                language="zh-CN",
                added_at=added,
                confirmed_at=added,
            )
        )
    session.flush()
    while outbox.route(session, now, render=render):
        pass
    for sending in outbox.claim(session, now):
        bounced = sending.address.startswith("governance")
        outbox.record(session, sending, now, error="smtp_550" if bounced else None, final=bounced)
