"""The history of a case as a chain: each row carries a hash over itself and the row before.

Whoever changes, swaps, inserts or takes out a row breaks the chain at that row. Two things the chain alone
cannot show: rows cut off its end, and a chain written anew from some row on. For those the head (last seq and
hash) has to be kept elsewhere; `verify_chain` takes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from gis.errors import InvalidInput
from grids.rules.calendar import aware_utc

__all__ = [
    "GENESIS",
    "Link",
    "canonical",
    "chain_hash",
    "content_of",
    "plain",
    "rendered",
    "sealed",
    "verify_chain",
]

GENESIS = bytes(32)
"""What stands for the hash before the first row."""

DOMAIN = b"gridwhistle trace 1\n"
"""Begins what is hashed, so that no other hash of ours can be passed off as one of these."""

SAFE_INTEGER = 2**53 - 1

_WRITE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True).encode

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Link:
    """One row of the history as it stands in the store; the fields are those of `chain_hash`."""

    incident_number: str
    seq: int
    at: datetime
    actor: str | None
    machine: str
    subject: str
    action: str
    from_state: str | None
    to_state: str
    payload: Mapping[str, object]
    previous_hash: bytes | None
    hash: bytes
    actor_id: int | None = None
    unit: str | None = None
    row: str | None = None


def canonical(payload: object) -> bytes:
    """Return the one way of writing a value as JSON: UTF-8, no blanks, keys sorted (RFC 8785).

    payload : None, bool, int, str, and lists, tuples and mappings of them.
    Floats are refused, because a store may give back another spelling of the same number, and so are whole
    numbers beyond 2**53 - 1 (RFC 8785 knows no others); write them as text. Moments are written by `rendered`
    first. Keys are text; no text holds U+0000, which PostgreSQL cannot store, or half a surrogate pair.
    Raises `InvalidInput("untraceable_value")` naming the place inside the payload.
    """
    if _is_plain(payload):  # nearly always; the careful way is the same, slower, and can say what is wrong
        text = _WRITE(payload)
        if "\\u0000" not in text:
            with contextlib.suppress(UnicodeEncodeError):
                return text.encode()
    plain = _plain(payload, "$")
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def rendered(at: datetime) -> str:
    """Return a moment as the history writes it: RFC 3339 with six decimals: 2026-03-01T08:00:00.000000Z."""
    return aware_utc(at).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def plain(value: Any) -> Any:
    """Return a value as the history, messages and explain records hold it: moments and fractions as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return rendered(value)
    if isinstance(value, float | Decimal):
        return str(value)
    return value


def chain_hash(
    previous: bytes | None,
    *,
    incident_number: str,
    seq: int,
    at: datetime,
    actor: str | None,
    machine: str,
    subject: str,
    action: str,
    from_state: str | None,
    to_state: str,
    payload: Mapping[str, object],
    actor_id: int | None = None,
    unit: str | None = None,
    row: str | None = None,
) -> bytes:
    """Return the SHA-256 (32 bytes) of one row and the hash of the row before.

    previous : None for seq 1 and only there; `GENESIS` is hashed in its place.
    at : aware; microseconds count, the offset does not.
    The rest are the columns of the row, each under its own name, so that no text can slip from one into the
    next.
    Raises `InvalidInput` ("broken_chain" when `previous` does not fit `seq`, "untraceable_value",
    "naive_time").
    """
    if seq < 1 or (seq == 1) != (previous is None) or (previous is not None and len(previous) != 32):
        raise InvalidInput(
            "broken_chain",
            f"row {seq} of {incident_number} needs "
            + ("no hash before it" if seq == 1 else "the 32-byte hash of the row before"),
            incident=incident_number,
            seq=seq,
        )
    content = content_of(
        incident_number=incident_number,
        seq=seq,
        at=at,
        actor=actor,
        actor_id=actor_id,
        unit=unit,
        machine=machine,
        subject=subject,
        row=row,
        action=action,
        from_state=from_state,
        to_state=to_state,
        payload=payload,
    )
    return sealed(previous, canonical(content))


def content_of(
    *,
    incident_number: str,
    seq: int,
    at: datetime,
    actor: str | None,
    actor_id: int | None,
    unit: str | None,
    machine: str,
    subject: str,
    row: str | None,
    action: str,
    from_state: str | None,
    to_state: str,
    payload: Mapping[str, object],
) -> dict[str, object]:
    """Return what is hashed of one row, each column under its own name."""
    return {
        "action": action,
        "actor": actor,
        "actor_id": actor_id,
        "at": rendered(at),
        "from_state": from_state,
        "incident_number": incident_number,
        "machine": machine,
        "payload": payload,
        "row": row,
        "seq": seq,
        "subject": subject,
        "to_state": to_state,
        "unit": unit,
    }


def sealed(previous: bytes | None, content: bytes) -> bytes:
    """Return the SHA-256 of the hash of the row before, None for the first, and a row's canonical content."""
    return hashlib.sha256(DOMAIN + (previous or GENESIS) + content).digest()


def verify_chain(rows: Iterable[Link], head: tuple[int, bytes] | None = None) -> int | None:
    """Return the first seq of one incident's history that is not as it was written, or None when all are.

    rows : in the order of seq. A row that is missing is named by its own seq.
    head : seq and hash of the last row, kept elsewhere; without it, rows cut off the end are not missed. With
    it the
        answer is the first missing seq, or `head`'s own where a row there has another hash, or the first seq
        beyond.
    """
    previous: bytes | None = None
    number: str | None = None
    seq = 0
    for seq, link in enumerate(rows, start=1):
        number = number or link.incident_number
        if link.seq != seq or link.incident_number != number or not _holds(link, previous):
            return seq
        if head is not None and (seq > head[0] or (seq == head[0] and link.hash != head[1])):
            return seq
        previous = link.hash
    return seq + 1 if head is not None and seq < head[0] else None


def _holds(link: Link, previous: bytes | None) -> bool:
    if link.previous_hash != previous:
        return False
    try:
        wanted = chain_hash(
            previous,
            incident_number=link.incident_number,
            seq=link.seq,
            at=link.at,
            actor=link.actor,
            actor_id=link.actor_id,
            unit=link.unit,
            machine=link.machine,
            subject=link.subject,
            row=link.row,
            action=link.action,
            from_state=link.from_state,
            to_state=link.to_state,
            payload=link.payload,
        )
    except InvalidInput:  # what could never have been written was put there later
        return False
    return link.hash == wanted


def _is_plain(value: object) -> bool:
    """Say whether a value is of JSON's own types throughout, with keys whose order nobody disputes."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -SAFE_INTEGER <= value <= SAFE_INTEGER  # type: ignore[operator]
    if kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str or not key.isascii() or not (type(item) is str or _is_plain(item)):
                return False
        return True
    return (kind is list or kind is tuple) and all(map(_is_plain, value))  # type: ignore[call-overload]


def _plain(value: object, place: str) -> Json:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        if abs(value) > SAFE_INTEGER:
            raise _refusal(place, "a whole number beyond 2**53 - 1")
        return int(value)
    if isinstance(value, str):
        return _text(value, place)
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise _refusal(place, f"a key that is not text ({type(key).__name__})")
        # RFC 8785 sorts by UTF-16 code units; the two orders part only above U+FFFF
        keys = sorted(value, key=lambda key: _text(key, place).encode("utf-16-be"))
        return {_text(key, place): _plain(value[key], f"{place}.{key}") for key in keys}
    raise _refusal(place, f"a {type(value).__name__}")


def _text(value: str, place: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refusal(place, "half a surrogate pair") from None
    if "\x00" in value:
        raise _refusal(place, "U+0000")
    return str(value)


def _refusal(place: str, what: str) -> InvalidInput:
    return InvalidInput(
        "untraceable_value",
        f"the history cannot hold {what} at {place}: write moments and fractions as text first",
        field=place,
        got=what,
    )
