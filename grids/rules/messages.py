"""How a message leaves the house, to which addresses, and what became of it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from urllib.parse import urlsplit
from uuid import UUID

from gis.errors import InvalidInput
from grids.rules.phones import check_phone, mask_phone

__all__ = [
    "CODE_LIVES",
    "CODE_TRIES",
    "LEASE",
    "MOST_TRIES",
    "PAUSE",
    "DeliveryStatus",
    "Way",
    "check_address",
    "delivery_key",
    "mask_address",
    "next_try",
]

PAUSE = timedelta(minutes=1)
"""At most one sending in so long to a person by one way."""

MOST_TRIES = 8

LEASE = timedelta(minutes=2)
"""How long a worker may have a sending in hand before another takes it up; no sender takes half as long."""

CODE_LIVES = timedelta(minutes=10)
CODE_TRIES = 5

_LONGEST_BACKOFF = timedelta(hours=2)
# what mail servers take without quoting; an address with blanks, quotes or beyond ASCII is nobody's at an office
_MAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")
_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)


class Way(StrEnum):
    """By what a person wants to be told, besides the inbox that everybody has."""

    EMAIL = "email"
    SMS = "sms"
    WECOM = "wecom"
    DINGTALK = "dingtalk"
    WEBHOOK = "webhook"


class DeliveryStatus(StrEnum):
    """Where one sending stands. At least once: after a crash a sending may repeat, with the same id."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"  # every try was used up, or it can never succeed


def check_address(way: Way, text: str, *, field: str = "address") -> str:
    """Return an address as it is kept. Raises `InvalidInput` ("bad_address", "bad_phone"); the address is not
    repeated, for it may hold a key.

    Mail: one plain address. Text messages: a mobile number. Robots and webhooks: an http(s) address without a
    user; whether its host may be spoken to is the operator's to say.
    """
    plain = text.strip()
    if way is Way.EMAIL:
        local = plain.partition("@")[0]
        if len(plain) <= 254 and _MAIL.fullmatch(plain) and ".." not in plain and local.strip(".") == local:
            return plain
        raise InvalidInput("bad_address", "a mail address such as name@example.org is wanted", field=field)
    if way is Way.SMS:
        number = check_phone(plain, field=field)
        if _MOBILE.fullmatch(number):
            return number
        raise InvalidInput("bad_address", "text messages go to a mobile number of 11 digits", field=field)
    try:
        parts = urlsplit(plain)
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        usable = None
    if usable and len(plain) <= 500 and plain.isascii() and plain.isprintable() and " " not in plain:
        return plain
    raise InvalidInput(
        "bad_address",
        "an address such as https://host/path of at most 500 characters, without a user in it, is wanted",
        field=field,
    )


def mask_address(way: Way, address: str) -> str:
    """Return an address as those read it who are not its owner: enough to tell it from others, not to use it."""
    if way is Way.EMAIL:
        local, _, host = address.rpartition("@")
        return f"{local[:1]}***@{host}"
    if way is Way.SMS:
        return mask_phone(address)
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname}/…{address[-4:] if len(address) > 40 else ''}"


def next_try(tries: int, now: datetime, luck: Random) -> datetime:
    """Return when to try again after so many tries: 1, 2, 4 ... minutes, and up to a quarter more by chance.

    The chance keeps a thousand sendings that failed together from coming back together.
    """
    pause = min(PAUSE * (1 << max(tries - 1, 0)), _LONGEST_BACKOFF)
    return now + pause + pause * (luck.random() / 4)


def delivery_key(now: datetime, luck: bytes) -> UUID:
    """Return a UUID of version 7 (RFC 9562): the moment in milliseconds, then 74 random bits.

    luck : 10 bytes nobody can guess, for who knows the key may say that it was read.
    """
    number = int(now.timestamp() * 1000) << 80 | int.from_bytes(luck, "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    return UUID(int=number & ~(0x3 << 62) | 0x2 << 62)
