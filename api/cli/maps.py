"""`gridwhistle maps`: a map of the city as one file that opens anywhere, or as a picture of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from api.cli.opening import Category, From, To, day_begins, day_ends, progress, reading
from grids.rules.levels import GridLevel, child_level

if TYPE_CHECKING:
    import geopandas as gpd
    from sqlalchemy.orm import Session

    from api.i18n import Words
    from grids.measures import Window
    from maps import GridMap

__all__ = ["commands"]

commands = typer.Typer(
    no_args_is_help=True, help="Maps: one self-contained .html file, or a .png picture of it."
)

_LAST_DAYS = 30
_KINDS = {".html": "html", ".png": "png"}
_STATIC = Path(__file__).resolve().parents[1] / "static"

_Metric = TypeVar("_Metric", bound=StrEnum)


class Language(StrEnum):
    """The languages that a map speaks."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


Area = Annotated[str, typer.Option(help="The code of an area, such as 990101 or 990101001.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="A .html or .png file.")]
Level = Annotated[
    GridLevel | None, typer.Option(help="Of the grids that are drawn; by default the one below the area's.")
]
On = Annotated[
    str,
    typer.Option(
        "--edition",
        help="The grid to count on: as_was, today, or the number of an edition; see `grids list`.",
    ),
]
In = Annotated[Language, typer.Option("--language", help="Of the words on the map.")]


@commands.command()
def area(area: Area, output: Output, language: In = Language.CHINESE) -> None:
    """Draw an area: its grids bold, those around faded, what is open in them and what keeps coming back."""
    from api.clock import system_clock
    from grids import measures
    from grids.rules.permissions import SYSTEM
    from maps import area_map

    now, words = system_clock(), _words(language)
    with _drawing(output) as session:
        view = measures.area_view(session, SYSTEM.scope, area, now=now)
        cases = _named(view.incidents, words)
        drawn = area_map(
            view.own,
            view.neighbours,
            cases.assign(status_text=[words.of("status", status) for status in cases["status"]]),
            _named(view.recurrences, words),
            words=words,
            as_of=now,
        )
        _save(drawn, output)


@commands.command()
def hotspots(
    area: Area,
    output: Output,
    level: Level = None,
    category: Category = None,
    since: From = None,
    until: To = None,
    metric: Annotated[str, typer.Option(help="count or per_1000_households.")] = "count",
    edition: On = "as_was",
    language: In = Language.CHINESE,
) -> None:
    """Draw where incidents gather, and which grids are hot beyond chance; by default of the last 30 days."""
    from api.clock import system_clock
    from grids import measures
    from grids.rules.permissions import SYSTEM
    from maps import hotspot_map

    now, words = system_clock(), _words(language)
    chosen = _metric(metric, measures.HotspotMetric)
    with _drawing(output) as session:
        window = _window(session, area, level, category, since, until, edition, now)
        drawn = hotspot_map(
            measures.hotspots(session, SYSTEM.scope, window, chosen),
            chosen.value,
            level=window.level.value,
            period=_days(window),
            category=_category_name(session, category, words),
            words=words,
            as_of=now,
        )
        _say_grid(drawn, session, window, words)
        _save(drawn, output)


@commands.command()
def responses(
    area: Area,
    output: Output,
    level: Level = None,
    category: Category = None,
    since: From = None,
    until: To = None,
    metric: Annotated[str, typer.Option(help="accept, respond, arrive or handle.")] = "handle",
    edition: On = "as_was",
    language: In = Language.CHINESE,
) -> None:
    """Draw how long a step took, the median by grid; by default of the last 30 days."""
    from api.clock import system_clock
    from grids import measures
    from grids.rules.permissions import SYSTEM
    from maps import response_map

    now, words = system_clock(), _words(language)
    chosen = _metric(metric, measures.ResponseMetric)
    with _drawing(output) as session:
        window = _window(session, area, level, category, since, until, edition, now)
        drawn = response_map(
            measures.responses(session, SYSTEM.scope, window, chosen, now=now),
            chosen.value,
            level=window.level.value,
            period=_days(window),
            category=_category_name(session, category, words),
            words=words,
            as_of=now,
        )
        _say_grid(drawn, session, window, words)
        _save(drawn, output)


@commands.command()
def recurrences(
    area: Area,
    output: Output,
    level: Level = None,
    category: Category = None,
    since: From = None,
    until: To = None,
    edition: On = "as_was",
    language: In = Language.CHINESE,
) -> None:
    """Draw the places where the same trouble comes back; by default of the last 30 days."""
    from api.clock import system_clock
    from grids import atlas, measures
    from grids.rules.calendar import local_day
    from grids.rules.permissions import SYSTEM
    from maps import recurrence_map

    now, words = system_clock(), _words(language)
    with _drawing(output) as session:
        window = _window(session, area, level, category, since, until, edition, now)
        drawn = recurrence_map(
            _named(measures.recurrences(session, SYSTEM.scope, window), words),
            atlas.areas(
                session,
                level=window.level,
                parent=area,
                edition_id=window.edition,
                on=local_day(window.until),
            ),
            period=_days(window),
            category=_category_name(session, category, words),
            words=words,
            as_of=now,
        )
        _say_grid(drawn, session, window, words)
        _save(drawn, output)


def _window(
    session: Session,
    area: str,
    level: GridLevel | None,
    category: str | None,
    since: datetime | None,
    until: datetime | None,
    edition: str,
    now: datetime,
) -> Window:
    from grids import atlas
    from grids.ground import editions
    from grids.measures import Window
    from grids.rules.calendar import local_day
    from grids.rules.codes import level_of

    own = level_of(area)
    atlas.grid(session, area, on=local_day(now))  # raises NotFound in its own words
    end = day_ends(until) or now
    begin = day_begins(since) or end - timedelta(days=_LAST_DAYS)
    chosen = editions.to_count_on(session, edition, area, on=local_day(now))
    return Window(area, level or child_level(own) or own, begin, end, category, chosen)


def _say_grid(drawn: GridMap, session: Session, window: Window, words: Words) -> None:
    from grids.ground import editions
    from maps import say_grid

    name = "" if window.edition is None else editions.get(session, window.edition).name
    say_grid(drawn, words, window.edition, name)


def _days(window: Window) -> tuple[date, date]:
    """Return the first and the last day of a window, both included."""
    from grids.rules.calendar import local_day

    return local_day(window.since), local_day(window.until - timedelta(microseconds=1))


@contextmanager
def _drawing(output: Path) -> Iterator[Session]:
    """Open a session to draw a map from, once it is sure that the map can be written."""
    from api.pictures import browser
    from grids.exports import kind_of

    if kind_of(output, _KINDS) == "png":
        browser()
    with progress(None, " maps", "drawing"), reading() as session:
        yield session


def _save(drawn: GridMap, output: Path) -> None:
    from api.pictures import photograph
    from grids.csvtables import partial
    from grids.exports import kind_of
    from maps import Assets, page

    html = page(drawn, Assets(_STATIC), standalone=True)
    with partial(output) as temporary:
        if kind_of(output, _KINDS) == "png":
            photograph(html, temporary)
        else:
            temporary.write_text(html, "utf-8")
    typer.echo(f"{output}: {output.stat().st_size / 1000:,.0f} kB")


def _metric(given: str, known: type[_Metric]) -> _Metric:
    try:
        return known(given)
    except ValueError:
        raise typer.BadParameter(
            f"{given!r} is not one of {', '.join(known)}", param_hint="--metric"
        ) from None


def _category_name(session: Session, code: str | None, words: Words) -> str | None:
    from grids import directory

    return None if code is None else words.name(directory.category(session, code)) or code


def _words(language: Language) -> Words:
    from api.i18n import words_in

    return words_in(language.value)


def _named(rows: gpd.GeoDataFrame, words: Words) -> gpd.GeoDataFrame:
    """Return rows with the name of their category in the map's language."""
    if words.language == Language.ENGLISH:
        return rows.assign(category_name=rows["category_name_en"])
    return rows
