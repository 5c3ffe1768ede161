"""Telephone numbers of people on duty: checked, written in one way, masked where others read them."""

from __future__ import annotations

import re
import unicodedata

from gis.errors import InvalidInput

__all__ = ["check_phone", "mask_phone"]

_MOBILE = re.compile(r"1[3-9]\d{9}")
# 010 and 02x have eight digits behind them; the four-digit area codes seven or eight. None begins with 0 or
# 1.
_LANDLINE = re.compile(
    r"(?P<area>010|02\d)(?P<number>[2-9]\d{7})|(?P<area4>0[3-9]\d{2})(?P<number4>[2-9]\d{6,7})"
)
_EXTENSION = re.compile(r"(?:转|分机|ext\.?|x|#|,)\s*(\d{1,6})$|(?<=\d{7})-(\d{1,6})$", re.IGNORECASE)
_COUNTRY = re.compile(r"^(?:\+|00)86")
_FILLING = re.compile(r"[\s()\-‐‑–—.]")


def check_phone(text: str, *, field: str = "phone") -> str:
    """Return a number at which a person can be reached, in one spelling; refuse any other.

    Mobile numbers (1[3-9] and nine digits) come out bare: 13812345678. Landlines need their area code and
    come out as 0531-81234567, with an extension as 0531-81234567-801. Blanks, brackets, hyphens, full-width
    digits and a country code +86 or 0086 are taken away. Service numbers (110, 12345, 95xxx, 400, 800) are
    refused: behind them sits nobody who has promised to come.
    Raises `InvalidInput("bad_phone")` naming `field`; the message never repeats the number, for messages are logged.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    extension = ""
    if found := _EXTENSION.search(plain):
        extension = found.group(1) or found.group(2)
        plain = plain[: found.start()]
    plain = _FILLING.sub("", plain)
    abroad = _COUNTRY.match(plain)
    plain = _COUNTRY.sub("", plain)
    if plain.isascii() and not extension and _MOBILE.fullmatch(plain):
        return plain
    if abroad and not plain.startswith("0"):
        plain = f"0{plain}"
    landline = _LANDLINE.fullmatch(plain) if plain.isascii() else None
    if landline is None:
        raise InvalidInput(
            "bad_phone",
            "a telephone number is a mobile number of 11 digits, or a landline with its area code and a hyphen;"
            f" service numbers are not taken. Got {len(text)} characters that are neither",
            field=field,
        )
    area = landline.group("area") or landline.group("area4")
    number = landline.group("number") or landline.group("number4")
    return f"{area}-{number}-{extension}" if extension else f"{area}-{number}"


def mask_phone(phone: str) -> str:
    """Return a number with its middle hidden: 138****5678, 0531-****4567; anything else is hidden whole."""
    if re.fullmatch(_MOBILE, phone):
        return f"{phone[:3]}****{phone[-4:]}"
    if found := re.fullmatch(r"(0\d{2,3})-\d{3,4}(\d{4})(-\d{1,6})?", phone, re.ASCII):
        return f"{found.group(1)}-****{found.group(2)}{'-***' if found.group(3) else ''}"
    return "****"
