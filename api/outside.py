"""What pages and routes share about addresses outside: which can be reached from here, what a code says."""

from __future__ import annotations

from fastapi import Request

from api.senders import door_of, ways_of
from api.settings import Settings
from api.wording import code_words
from gis.errors import InvalidInput
from grids.contacts import CodeWords
from grids.rules.messages import Way, check_address

__all__ = ["code_sender", "reachable_ways", "require_reachable"]


def reachable_ways(request: Request) -> tuple[Way, ...]:
    """Return the ways that the operator has set up."""
    settings: Settings = request.app.state.settings
    return ways_of(settings)


def require_reachable(request: Request, way: Way, address: str) -> None:
    """Raise `InvalidInput` ("way_not_set_up", "host_not_allowed") for what could never be sent from here."""
    settings: Settings = request.app.state.settings
    ways = ways_of(settings)
    if way not in ways:
        wanted = [one.value for one in ways]
        message = f"nobody is told by {way} here: the operator has not set it up"
        raise InvalidInput("way_not_set_up", message, field="way", got=way.value, wanted=wanted)
    address = check_address(way, address)
    if way in (Way.WECOM, Way.DINGTALK, Way.WEBHOOK) and not door_of(settings).allows(address):
        message = "the host of this address is not on the operator's list (GRID_OUTGOING_HOSTS)"
        raise InvalidInput("host_not_allowed", message, field="address")


def code_sender() -> CodeWords:
    """Return what words the sending that brings a code."""
    return code_words
