"""What the file of a figure says beside its rows: what it is, what was asked for, how it is counted."""

from __future__ import annotations

from datetime import datetime, timedelta

from api.filenames import figure_detail
from api.i18n import Words
from api.tablefiles import About
from grids.measures import HotspotMetric, Rate, ResponseMetric, Window
from grids.rules.calendar import local_day

__all__ = ["about_figure"]


def about_figure(
    name: str,
    window: Window,
    *,
    metric: str | None,
    definition: str,
    place: str,
    category: str,
    grid: str,
    as_of: datetime,
    mark: str,
    words: Words,
) -> About:
    """Return what a figure is about.

    name : counts, hotspots, responses, rates, compare, recurrences, recurrent-places, emerging, weekly or
    default-points; metric : a code of it.
    definition : how it is counted, in words. place, category, grid : names; "" for all categories, and for the grid
    as it was.
    """
    days = local_day(window.since), local_day(window.until - timedelta(microseconds=1))
    filters = [
        (words("Area"), place),
        (words("Level"), words.of("level", window.level)),
        (words("Period"), words.period(*days)),
        (words("Category"), category or words("all categories")),
        (words("Grid"), grid or words("as it was")),
    ]
    if window.grade is not None:
        filters.append((words("Grade"), words.of("grade", window.grade)))
    if window.channel is not None:
        filters.append((words("Channel"), words.of("channel", window.channel)))
    indicator = _indicator(metric, words)
    if indicator:
        filters.append((words("Indicator"), indicator))
    few = words("Figures on fewer than 10 cases are small samples; an empty cell is no data, not zero.")
    return About(
        name=f"{name}-{window.area or 'city'}-{figure_detail(window, metric)}",
        title=_titles(words).get(name, name),
        filters=filters,
        notes=[*([definition] if definition else []), few],
        as_of=as_of,
        mark=mark,
    )


def _titles(words: Words) -> dict[str, str]:
    return {
        "counts": words("Number of cases"),
        "hotspots": words("Hotspots"),
        "responses": words("Response times"),
        "rates": words("Rates"),
        "compare": words("Change between two periods"),
        "recurrences": words("Cases at recurrent places"),
        "recurrent-places": words("Recurrent places"),
        "emerging": words("Emerging hot spots"),
        "default-points": words("Default points"),
        "weekly": words("Cases by week"),
    }


def _indicator(metric: str | None, words: Words) -> str:
    """Return the words of a metric of any figure."""
    for kind, codes in (("hotspot", HotspotMetric), ("response", ResponseMetric), ("rate", Rate)):
        if metric in tuple(codes):
            return words.of(kind, metric)
    return metric or ""
