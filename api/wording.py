"""What sendings say: the words of messages in the reader's language, with nothing in them that stays at home."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from api.i18n import DEFAULT, LANGUAGES, words_in
from grids.outbox import Render, Wording
from grids.rules.phones import mask_phone
from grids.tables import Message

__all__ = ["code_words", "renderer", "trial_words"]

# a number that stands alone; those of cases are longer and are left as they are
_PHONE = re.compile(r"(?<![\dA-Za-z-])(1[3-9]\d{9}|0\d{2,3}-\d{7,8}(?:-\d{1,6})?)(?![\dA-Za-z])", re.ASCII)


def renderer(public_url: str | None) -> Render:
    """Return what words sendings; with an address of the service, each case has a way back to it.

    Telephone numbers are masked: what has left the house cannot be taken back when a whistle ends.
    """
    home = public_url.rstrip("/") if public_url else None

    def render(language: str, messages: Sequence[Message], more: int) -> Wording:
        words = words_in(language if language in LANGUAGES else DEFAULT)
        lines = [_masked(words.message(one.template, one.facts)) for one in messages]
        count = len(lines) + more
        subject = (
            words("Gridwhistle: 1 message")
            if count == 1
            else words("Gridwhistle: {count} messages", count=count)
        )
        if more:
            lines.append(words("And {count} more: see your inbox.", count=more))
        if home:
            pages = {page for one in messages if (page := _page(one.facts))}
            page = pages.pop() if len(pages) == 1 and not more else None
            lines.append(f"{home}{page or '/inbox'}")
        return Wording(subject, "\n".join(lines))

    return render


def _page(facts: Mapping[str, Any]) -> str | None:
    """Return the page of what a message is about, None where it has none."""
    if facts.get("place"):
        return f"/points/{facts['place']}"
    if facts.get("campaign"):
        return f"/campaigns/{facts['campaign']}"
    return f"/incidents/{facts['number']}" if facts.get("number") else None


def _masked(text: str) -> str:
    return _PHONE.sub(lambda found: mask_phone(found[1]), text)


def code_words(language: str, code: str) -> Wording:
    """Return the words that bring a code to an address which somebody says is theirs."""
    words = words_in(language if language in LANGUAGES else DEFAULT)
    said = words("Your code is {code}. It holds for ten minutes. Tell it nobody.", code=code)
    return Wording(words("Gridwhistle: confirm this address"), said)


def trial_words(language: str) -> Wording:
    """Return the words of a sending that only tries a way out."""
    words = words_in(language if language in LANGUAGES else DEFAULT)
    return Wording(words("Gridwhistle: a test"), words("If you read this, messages reach this address."))
