"""The kinds of values that fields hold: texts, numbers, moments, codes."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from gis.errors import InvalidInput
from grids.rules.calendar import SHANGHAI

__all__ = [
    "Answer",
    "AreaCode",
    "Body",
    "DisputeNumber",
    "Flag",
    "FrameCode",
    "IncidentNumber",
    "Line",
    "Moment",
    "Passage",
    "Phone",
    "ProblemOut",
    "Real",
    "ShortCode",
    "Shown",
    "TaskId",
    "WhistleNumber",
    "Whole",
    "moment_from",
]


class Body(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Answer(BaseModel):
    """What we send."""

    model_config = ConfigDict(frozen=True, from_attributes=True, ser_json_inf_nan="null")


def _storable(text: str) -> str:
    """Return a text in NFC; refuse what no person typed: control characters and halves of surrogate pairs."""
    for char in text:
        kind = unicodedata.category(char)
        if kind == "Cs" or (kind == "Cc" and char not in "\n\r\t"):
            raise ValueError("holds a control character")
    return unicodedata.normalize("NFC", text)


def _one_line(text: str) -> str:
    if any(char in "\n\r\t\u2028\u2029" for char in text):
        raise ValueError("is one line of text")
    return text


def _written(value: Any) -> Any:
    """Let only text through to where a moment is read: a bare number names no zone and no unit."""
    if not isinstance(value, str | datetime):
        raise ValueError("is text such as 2026-11-21T19:00:00+08:00")
    return value


def _sensible(moment: datetime) -> datetime:
    try:
        plain = moment.astimezone(UTC)
    except OverflowError:
        plain = None
    if plain is None or not 1990 <= plain.year <= 2199:
        raise ValueError("is not in the years from 1990 to 2199")
    return plain


Passage = Annotated[str, StringConstraints(max_length=4000, strip_whitespace=True), AfterValidator(_storable)]
"""Some sentences that a person wrote."""

Line = Annotated[
    str,
    StringConstraints(max_length=200, strip_whitespace=True),
    AfterValidator(_storable),
    AfterValidator(_one_line),
]
"""One line that a person wrote: a name, an address, a place."""

Phone = Annotated[str, StringConstraints(max_length=40), AfterValidator(_storable), AfterValidator(_one_line)]
"""A telephone number as typed; `grids.rules.phones` checks it."""

ShortCode = Annotated[str, StringConstraints(max_length=32, pattern=r"^[0-9A-Za-z._-]+$")]
"""The code of a category or a department."""

FrameCode = Annotated[
    str,
    StringConstraints(max_length=32, pattern=r"^[0-9A-Za-z :._-]+$"),
    Field(
        description="what lon and lat are counted in: WGS84, CGCS2000, GCJ02, BD09, or a system of the EPSG register, "
        "such as EPSG:4548, whose easting and northing they then are; declared, never guessed",
        examples=["CGCS2000", "GCJ02", "EPSG:4548"],
    ),
]
"""What a coordinate is counted in; `gis.crs.parse_frame` reads it."""

AreaCode = Annotated[str, StringConstraints(max_length=15, pattern=r"^[0-9]{6}(?:[0-9]{3}){0,3}$")]
"""6, 9, 12 or 15 digits: district, town, community, building group."""

IncidentNumber = Annotated[str, StringConstraints(max_length=19, pattern=r"^[0-9]{19}$")]
WhistleNumber = Annotated[str, StringConstraints(max_length=24, pattern=r"^W[0-9]{14,23}$")]
DisputeNumber = Annotated[str, StringConstraints(max_length=24, pattern=r"^D[0-9]{14,23}$")]
TaskId = Annotated[int, Field(ge=1, le=2**63 - 1)]

Real = Annotated[float, Field(strict=True, ge=-1e9, le=1e9)]
Whole = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
Flag = Annotated[bool, Field(strict=True)]

Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_sensible)]
"""RFC 3339 with its offset; held in UTC."""

Shown = Annotated[
    datetime,
    PlainSerializer(
        lambda moment: moment.astimezone(SHANGHAI).isoformat(), return_type=str, when_used="json"
    ),
]
"""A moment as we show it: RFC 3339 with the city's offset."""

_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


def moment_from(text: str | None, field: str, *, end: bool = False) -> datetime | None:
    """Read the edge of a period from an address: a moment with its offset, or a day of the city.

    A day as an end counts whole: the moment returned is the first that no longer belongs to it. Raises
    `InvalidInput` ("bad_time").
    """
    if text is None or not text:
        return None
    try:
        if len(text) == len("2026-11-21"):
            day = date.fromisoformat(text)
            local = datetime.combine(day + timedelta(days=1) if end else day, time(), SHANGHAI)
            return _sensible(local)
        # a "+" that nobody escaped arrives as a blank
        return _MOMENT.validate_python(text.replace(" ", "+") if "T" in text else text)
    except (ValueError, OverflowError, ValidationError):
        raise InvalidInput(
            "bad_time",
            f"{field} is a day such as 2026-11-21 or a moment such as 2026-11-21T19:00:00+08:00",
            field=field,
        ) from None


class Fault(Answer):
    """One field that does not fit."""

    field: str
    message: str


class ProblemOut(BaseModel):
    """An error (RFC 9457). Further members hold the facts of the case: what was got, what is wanted."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str = Field(description="urn:gridwhistle:problem: and the code")
    title: str = Field(description="the kind of problem")
    status: int
    detail: str = Field(description="this case in one sentence")
    code: str = Field(description="stable; docs/problems.md lists every one")
    field: str | None = Field(default=None, description="the field or parameter that is wrong")
    errors: list[Fault] | None = Field(default=None, description="every field that is wrong")
    request_id: str | None = Field(default=None, description="of a fault of ours, to find it in the log")
