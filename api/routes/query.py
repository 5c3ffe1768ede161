"""Parameters that several lists and maps share, each under one name."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from api.schemas.base import AreaCode, Line, ShortCode
from gis.errors import InvalidInput

__all__ = ["Area", "Bbox", "Category", "Cursor", "From", "Limit", "Text", "To"]

Area = Annotated[AreaCode | None, Query(description="an area's code: what lies in it")]
Category = Annotated[ShortCode | None, Query(description="a category's code")]
Text = Annotated[Line | None, Query(description="a number, or words of the text or the address")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]
From = Annotated[
    str | None, Query(alias="from", max_length=40, description="a day, or a moment with its offset")
]
To = Annotated[
    str | None, Query(alias="to", max_length=40, description="the last day, or the first moment after")
]

_Bbox = Annotated[
    str | None, Query(alias="bbox", max_length=120, description="west,south,east,north in degrees")
]


def _bbox(text: _Bbox = None) -> tuple[float, float, float, float] | None:
    """Return a box. Raises `InvalidInput` ("bad_bbox")."""
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = float("nan")
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidInput(
            "bad_bbox",
            "bbox is west,south,east,north in degrees, such as 117.6,36.2,117.7,36.3",
            field="bbox",
        )
    return west, south, east, north


Bbox = Annotated[tuple[float, float, float, float] | None, Depends(_bbox)]
