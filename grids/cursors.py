"""Cursors of lists that go by a moment and an id: where the page before ended, as one word of an address."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from gis.errors import InvalidInput

__all__ = ["read_cursor", "write_cursor"]


def write_cursor(at: datetime, row_id: int, part: str = "") -> str:
    """Return the cursor of the page that begins after a row. at : aware. part : of a list that has two."""
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{row_id}|{part}".encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, int, str]:
    """Return what `write_cursor` was given. Raises `InvalidInput` ("bad_cursor") for what is none of ours."""
    try:
        at, last, part = base64.urlsafe_b64decode(cursor.encode()).decode().split("|")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not 0 < int(last) < 2**63:
            raise ValueError("not one of ours")
        return moment, int(last), part
    except (ValueError, binascii.Error):
        raise InvalidInput(
            "bad_cursor", "take the cursor from the answer before this one", field="cursor"
        ) from None
