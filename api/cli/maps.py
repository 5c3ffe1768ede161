"""`gridwhistle maps`: a map of the city as one file that opens anywhere, as a sheet of A4, or its figures as a table.

The end of the file's name says which: .html, .png, .pdf, .csv, .xlsx, .geojson or .gpkg.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    no_args_is_help=True,
    help="Maps: one self-contained .html file, a .png or .pdf sheet of A4, or the figures as a table.",
)

_SHEETS = {".html": "html", ".png": "png", ".pdf": "pdf"}
_KINDS = {**_SHEETS, ".csv": "csv", ".xlsx": "xlsx", ".geojson": "geojson", ".gpkg": "gpkg"}
_STATIC = Path(__file__).resolve().parents[1] / "static"


class Language(StrEnum):
    """The languages that a map speaks."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


Area = Annotated[str, typer.Option(help="The code of an area, such as 990101 or 990101001.")]
Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="A .html, .png or .pdf file; of figures also .csv, .xlsx, .geojson or .gpkg."
    ),
]
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
ClassesOf = Annotated[str, typer.Option(help="fixed ones compare over time; or quantile.")]
Compare = Annotated[
    str | None, typer.Option(help="Draw the change from the period before: previous, last_year or own.")
]
Day = Annotated[str | None, typer.Option(help="A day of one's own period to compare with.")]
In = Annotated[Language, typer.Option("--language", help="Of the words on the map.")]


@commands.command()
def area(area: Area, output: Output, language: In = Language.CHINESE) -> None:
    """Draw an area: its grids bold, those around faded, what is open in them and what keeps coming back."""
    from api.clock import system_clock
    from grids import measures
    from grids.rules.permissions import SYSTEM
    from maps import area_map

    now, words = system_clock(), _words(language)
    with _drawing(output, _SHEETS) as session:
        view = measures.area_view(session, SYSTEM.scope, area, now=now)
        cases = _named(view.incidents, words)
        drawn = area_map(
            view.own,
            view.neighbours,
            cases.assign(status_text=[words.of("status", status) for status in cases["status"]]),
            _named(view.recurrences.places, words),
            words=words,
            as_of=now,
            recurrent=view.recurrences.total,
        )
        _save(session, drawn, output, area=area, words=words, now=now)


@commands.command()
def hotspots(
    area: Area,
    output: Output,
    level: Level = None,
    category: Category = None,
    since: From = None,
    until: To = None,
    metric: Annotated[str, typer.Option(help="count, per_1000_households or per_km2.")] = "count",
    layer: Annotated[str, typer.Option(help="gi, moran, density or emerging.")] = "gi",
    classes: ClassesOf = "fixed",
    compare: Compare = None,
    before_from: Day = None,
    before_to: Day = None,
    edition: On = "as_was",
    language: In = Language.CHINESE,
) -> None:
    """Draw where incidents gather, and which grids are hot beyond chance; by default of the last 90 days."""
    given = {"metric": metric, "layer": layer, "classes": classes, "compare": compare}
    given |= {"before_from": before_from, "before_to": before_to}
    _analysis("hotspots", given, area, output, level, category, since, until, edition, language)


@commands.command()
def responses(
    area: Area,
    output: Output,
    level: Level = None,
    category: Category = None,
    since: From = None,
    until: To = None,
    metric: Annotated[
        str,
        typer.Option(
            help="accept, respond, arrive, handle or close; or overdue, on_time, rework, returned or reopened."
        ),
    ] = "handle",
    stat: Annotated[str, typer.Option(help="Of a time: median, p90 or overdue.")] = "median",
    time: Annotated[str, typer.Option(help="natural, or working: office hours only.")] = "natural",
    classes: ClassesOf = "fixed",
    compare: Compare = None,
    before_from: Day = None,
    before_to: Day = None,
    edition: On = "as_was",
    language: In = Language.CHINESE,
) -> None:
    """Draw how long a step took, or how often something went wrong, by grid; by default of the last 90 days."""
    given = {"metric": metric, "stat": stat, "time": time, "classes": classes, "compare": compare}
    given |= {"before_from": before_from, "before_to": before_to}
    _analysis("responses", given, area, output, level, category, since, until, edition, language)


@commands.command()
def coverage(
    area: Area,
    output: Output,
    level: Level = None,
    metric: Annotated[str, typer.Option(help="posts, or leads: categories without a lead.")] = "posts",
    language: In = Language.CHINESE,
) -> None:
    """Draw which posts nobody holds today, or which categories nobody leads, by grid."""
    given = {"metric": metric}
    _analysis("coverage", given, area, output, level, None, None, None, "as_was", language, _SHEETS)


def _analysis(
    name: str,
    given: Mapping[str, str | None],
    area: str,
    output: Path,
    level: GridLevel | None,
    category: str | None,
    since: datetime | None,
    until: datetime | None,
    edition: str,
    language: Language,
    kinds: Mapping[str, str] = _KINDS,
) -> None:
    """Draw one of the maps of the analysis, as the page with the same choices does."""
    from api import analysis
    from api.clock import system_clock
    from grids.measures import Rate
    from grids.rules.permissions import SYSTEM

    now, words = system_clock(), _words(language)
    view = analysis.View(name)
    _one_of(given, "metric", analysis.metrics_of(view))
    for option, kind in (
        ("layer", analysis.Layer),
        ("classes", analysis.Classes),
        ("compare", analysis.Against),
        ("stat", analysis.Statistic),
        ("time", analysis.TimeKind),
    ):
        _one_of(given, option, tuple(kind))
    with _drawing(output, kinds) as session:
        window = _window(session, area, level, category, since, until, edition, now)
        wish = analysis.wished(view, given, window.since, window.until)
        named = _category_name(session, category, words)
        found = analysis.found(session, SYSTEM.scope, window, wish, now=now)
        drawn = analysis.drawn(found, window, wish, category=named, words=words, as_of=now)
        figure = None
        if view is not analysis.View.COVERAGE:
            _say_grid(drawn, session, window, words)
            kind_of_table = "rates" if wish.metric in tuple(Rate) else name
            told = [wish.metric, *(["gathering"] if name == "hotspots" else [])]
            told += ["change"] if wish.against is not None else []
            figure = _Figure(found.cells, kind_of_table, window, wish.metric, told, named)
        _save(session, drawn, output, area=area, words=words, now=now, figure=figure)


def _one_of(given: Mapping[str, str | None], option: str, known: Sequence[str]) -> None:
    """Refuse an option that names what there is not, as a wrong use of the command."""
    value = given.get(option)
    if value is not None and value not in known:
        wanted = ", ".join(str(code) for code in known)
        raise typer.BadParameter(f"{value!r} is not one of {wanted}", param_hint=f"--{option}")


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
    """Draw the places where the same trouble comes back; by default of the last 90 days."""
    from api import analysis
    from api.clock import system_clock
    from grids import atlas, measures
    from grids.exports import kind_of
    from grids.rules.permissions import SYSTEM
    from maps import recurrence_map

    now, words = system_clock(), _words(language)
    with _drawing(output) as session:
        window = _window(session, area, level, category, since, until, edition, now)
        named = _category_name(session, category, words)
        analysis.require_begun(window, now)
        most = measures.MOST_ON_A_MAP if kind_of(output, _KINDS) in _SHEETS.values() else None
        found = measures.recurrent_places(session, SYSTEM.scope, window, most=most)
        places = found.places
        drawn = recurrence_map(
            _named(places, words),
            atlas.areas(
                session,
                level=window.level,
                parent=area,
                edition_id=window.edition,
                on=window.last_day,
            ),
            period=_days(window),
            category=named,
            words=words,
            as_of=now,
            recurrent=found.total,
        )
        _say_grid(drawn, session, window, words)
        figure = _Figure(places, "recurrent-places", window, None, ("recurrent_places",), named)
        _save(session, drawn, output, area=area, words=words, now=now, figure=figure)


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
    from grids.measures import Window, lately
    from grids.rules.calendar import local_day
    from grids.rules.codes import level_of

    own = level_of(area)
    atlas.grid(session, area, on=local_day(now))  # raises NotFound in its own words
    begin, end = lately(now, since=day_begins(since), until=day_ends(until))
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
def _drawing(output: Path, kinds: Mapping[str, str] = _KINDS) -> Iterator[Session]:
    """Open a session to draw a map from, once it is sure that the map can be written."""
    from api.papers.sheet import find_font
    from api.settings import read_settings
    from grids.exports import kind_of

    if kind_of(output, kinds) in ("png", "pdf"):
        find_font(read_settings().pdf_font)
    with progress(None, " maps", "drawing"), reading() as session:
        yield session


@dataclass(frozen=True)
class _Figure:
    """What a table says beside its rows. name, metric, definitions : as on /api/measures; category : its name."""

    cells: gpd.GeoDataFrame
    name: str
    window: Window
    metric: str | None
    definitions: Sequence[str]
    category: str | None


def _save(
    session: Session,
    drawn: GridMap,
    output: Path,
    *,
    area: str,
    words: Words,
    now: datetime,
    figure: _Figure | None = None,
) -> None:
    from grids.csvtables import partial
    from grids.exports import kind_of
    from maps import Assets, page

    kind = kind_of(output, _KINDS)
    place = _place(session, area, now)
    mark = words("Exported on the command line, {time}", time=words.moment(now))
    with partial(output) as temporary:
        if kind == "html":
            drawn.drawing.credits.append(mark)
            temporary.write_text(page(drawn, Assets(_STATIC), standalone=True), "utf-8")
        elif kind in ("png", "pdf"):
            temporary.write_bytes(_sheet(drawn, kind, place, mark, words, now))
        elif figure is not None:
            temporary.write_bytes(_table(session, figure, kind, place, mark, words, now))
    typer.echo(f"{output}: {output.stat().st_size / 1000:,.0f} kB")


def _sheet(drawn: GridMap, kind: str, place: str, mark: str, words: Words, now: datetime) -> bytes:
    from api.papers.sheet import find_font
    from api.settings import read_settings
    from maps.sheet import SheetKind, SheetWords, draw_sheet

    said = SheetWords(place=place, mark=mark, made_at=now)
    return draw_sheet(
        drawn, SheetKind(kind), font=find_font(read_settings().pdf_font), words=words, said=said
    )


def _table(
    session: Session, figure: _Figure, kind: str, place: str, mark: str, words: Words, now: datetime
) -> bytes:
    from api.figuretables import about_figure
    from api.tablefiles import TableKind, columns_of, write_table
    from grids.ground import editions

    number = figure.window.edition
    about = about_figure(
        figure.name,
        figure.window,
        metric=figure.metric,
        definition=" ".join(words.of("definition", code) for code in figure.definitions),
        place=place,
        category=figure.category or "",
        grid=editions.get(session, number).name if number else "",
        as_of=now,
        mark=mark,
        words=words,
    )
    return write_table(figure.cells, columns_of(figure.cells, words), TableKind(kind), about, words)


def _place(session: Session, area: str, now: datetime) -> str:
    """Return the name of an area after those above it."""
    from grids import atlas
    from grids.rules.calendar import local_day
    from grids.rules.levels import CODE_LENGTH

    codes = [area[:length] for length in CODE_LENGTH.values() if length <= len(area)]
    return " › ".join(atlas.grid(session, code, on=local_day(now)).name for code in codes)


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
