"""The one tree of errors that every floor raises.

    CityError(code, **facts)
     |- InvalidInput   what came in cannot be used: a field, a file, a place
     |   |- InvalidGeometry   a shape that is broken, empty or too big
     |   |- UnknownFrame      a coordinate frame that nobody declared or that we do not know
     |   |- CoverageBroken    a grid whose cells overlap, gap or leave their parent
     |   '- OutsideDistrict   a place outside every grid
     |- NotFound       there is no such thing, or the asker may not know of it
     |- Conflict       the thing is not in a state that allows this
     |- Forbidden      the asker is known but may not do this
     '- Unavailable    it would work later: a busy database, a calendar year that is not loaded

`code` is stable and listed in docs/problems.md; `facts` hold what was got and what was wanted, as plain
values that can be written as JSON. `str(error)` is one plain sentence for a person.
"""

from __future__ import annotations

__all__ = [
    "CityError",
    "Conflict",
    "CoverageBroken",
    "Forbidden",
    "InvalidGeometry",
    "InvalidInput",
    "NotFound",
    "OutsideDistrict",
    "Unavailable",
    "UnknownFrame",
]


class CityError(Exception):
    """Something the caller can act on, with a stable code and the facts of this one case."""

    def __init__(self, code: str, message: str, /, **facts: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.facts = facts


class InvalidInput(CityError):
    """What came in cannot be used; `facts["field"]` names the field where there is one."""


class InvalidGeometry(InvalidInput):
    """A shape that is broken, empty, of the wrong kind or over the limits."""


class UnknownFrame(InvalidInput):
    """A coordinate frame that is missing or unknown: frames are declared, never guessed."""


class CoverageBroken(InvalidInput):
    """Grid cells that overlap, leave gaps or stick out of their parent."""


class OutsideDistrict(InvalidInput):
    """A place that lies in none of the grids."""


class NotFound(CityError):
    """No such thing, or none that the asker may know of: both answer alike."""


class Conflict(CityError):
    """The thing is not in a state that allows this, or somebody changed it meanwhile."""


class Forbidden(CityError):
    """The asker is known, but this is not theirs to do."""


class Unavailable(CityError):
    """Not now: the database is busy, or a calendar year has not been loaded."""
