"""Requests that come twice: the second gets the answer of the first, and nothing happens again.

A row for the person and the key is written first, in the transaction of the effect itself. A copy that comes
meanwhile waits for that row; when the first has committed it finds the answer, when the first has failed it
takes its place.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gis.errors import InvalidInput
from grids.tables import IdempotencyKey

__all__ = ["claim", "forget", "keep"]


def claim(
    session: Session, person_id: int, key: str, request_hash: bytes, *, now: datetime
) -> dict[str, Any] | None:
    """Take a key for this request; return the kept answer when it was carried out before, else None.

    Raises `InvalidInput` ("idempotency_key_reused") for a key that came with another request.
    """
    taken = session.execute(
        insert(IdempotencyKey)
        .values(person_id=person_id, key=key, request_hash=request_hash, status=0, answer={}, made_at=now)
        .on_conflict_do_nothing()
        .returning(IdempotencyKey.key)
    ).first()
    if taken is not None:
        return None
    kept = session.execute(
        select(IdempotencyKey.request_hash, IdempotencyKey.answer).where(
            IdempotencyKey.person_id == person_id, IdempotencyKey.key == key
        )
    ).one()
    if kept.request_hash != request_hash:
        raise InvalidInput(
            "idempotency_key_reused",
            "this Idempotency-Key came before with another request: use a new one for each act",
            field="Idempotency-Key",
        )
    answer: dict[str, Any] = kept.answer
    return answer


def keep(session: Session, person_id: int, key: str, status: int, answer: dict[str, Any]) -> None:
    """Write down the answer of a request that was carried out in this transaction."""
    row = session.get_one(IdempotencyKey, (person_id, key))
    row.status, row.answer = status, answer


def forget(session: Session, *, before: datetime) -> int:
    """Delete the keys that are older; return how many. A client repeats within minutes, not weeks."""
    return len(
        session.scalars(
            delete(IdempotencyKey).where(IdempotencyKey.made_at < before).returning(IdempotencyKey.key)
        ).all()
    )
