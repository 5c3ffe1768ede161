"""What files of figures and maps are called, beside their kind and their area: two questions are two files."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from api.analysis import Classes, Layer, Statistic, View, Wish
from grids.measures import Rate, TimeKind, Window
from grids.rules.calendar import local_day
from grids.rules.codes import level_of
from grids.rules.levels import child_level

__all__ = ["figure_detail", "map_detail"]


def figure_detail(window: Window, metric: str | None) -> str:
    """Return what the name of a file of a figure says beside the figure and its area; ASCII.

    What goes without saying is left out, as in `map_detail`. metric : None for a figure that has none.
    """
    return _joined([_level(window), metric or "", *_asked(window)])


def map_detail(window: Window, wish: Wish) -> str:
    """Return what the name of a file of a map says beside view and area; ASCII.

    What goes without saying is left out: all categories, the level below the area, the median, the time of clocks.
    """
    parts = [_level(window), wish.metric]
    if wish.view is View.RESPONSES and wish.metric not in tuple(Rate):
        parts += [_unless(wish.statistic, Statistic.MEDIAN), _unless(wish.time, TimeKind.NATURAL)]
    if wish.view is View.HOTSPOTS and wish.against is None:
        parts.append(_unless(wish.layer, Layer.GI))
    if wish.view is not View.COVERAGE:
        parts += _asked(window)
        if wish.against is not None:
            parts += ["against", _compact(*wish.against)]
        elif wish.view is not View.RECURRENCES:
            parts.append(_unless(wish.classes, Classes.FIXED))
    return _joined(parts)


def _level(window: Window) -> str:
    usual = child_level(level_of(window.area)) if window.area else None
    return window.level.value if window.level != usual else ""


def _asked(window: Window) -> list[str]:
    edition = f"edition{window.edition}" if window.edition is not None else ""
    cases = [str(code or "") for code in (window.category, window.grade, window.channel)]
    return [*cases, edition, _compact(window.since, window.until)]


def _joined(parts: list[str]) -> str:
    return "-".join(part for part in parts if part)


def _unless(code: StrEnum, usual: StrEnum) -> str:
    return "" if code == usual else code.value


def _compact(since: datetime, until: datetime) -> str:
    return "-".join(f"{local_day(moment):%Y%m%d}" for moment in (since, until - timedelta(microseconds=1)))
