"""The responsibility list: read from files, checked whole, stored, and listed.

A CSV table holds items of the list; any file of areas holds places by their polygon, which are exceptions and
special grids. A mapping says how somebody's own columns are called:

    encoding = "gb18030"          # of a table; UTF-8 where nothing is said
    frame = "GCJ02"               # of polygons; an argument goes before it, and the file's own statement after
    layer = "places"
    [columns]                     # ours = theirs
    category = "事项编码"
    [values]                      # the same for every row
    basis = "designated"
    effective_from = "2026-07-01"

A rule of the same kind, place, category and name that holds already ends when the new one begins.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import shapely
from geoalchemy2 import Geography
from geoalchemy2.shape import from_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import cast, func, or_, select
from sqlalchemy.orm import Session

from gis.areas import read_areas
from gis.crs import STORAGE_SRID
from gis.errors import InvalidInput, NotFound
from grids import atlas
from grids.csvtables import CsvSource
from grids.duty.duties import in_force
from grids.ground.coverage import touching
from grids.rules.dutysheet import LIST_COLUMNS, PLACE_COLUMNS, DutyRow, Fault, Known, bad_rules, read_duty
from grids.rules.responsibilities import RuleKind
from grids.tables import Category, Department, DutyBasis, Edition, Grid, Responsibility

__all__ = [
    "OUTSIDE_M2",
    "DutyMapping",
    "Loaded",
    "known_names",
    "listing",
    "load",
    "read_duty_mapping",
]

OUTSIDE_M2 = 1.0
"""So much of a polygon may lie outside its area: what is drawn along a border never meets it exactly."""

_ALWAYS = ("basis", "source", "effective_from")


@dataclass(frozen=True)
class DutyMapping:
    """How a file holds rules. columns : ours -> theirs. values : ours -> what holds for every row."""

    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    frame: str | None = None
    layer: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was stored: the ids of new rules, and of those that end where a new one begins."""

    added: tuple[int, ...]
    ended: tuple[int, ...]


def read_duty_mapping(path: Path) -> DutyMapping:
    """Read a mapping. Raises `NotFound` ("file_not_found"), `InvalidInput` ("wrong_mapping") naming the key."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound("file_not_found", f"there is no file {str(path)!r}", field="mapping") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise _wrong(f"{path.name} is not TOML: {broken}", "mapping") from broken
    single = {key: document.pop(key) for key in ("encoding", "frame", "layer") if key in document}
    tables = {key: document.pop(key) for key in ("columns", "values") if key in document}
    if document:
        raise _wrong(
            f"{next(iter(document))} is not known; use encoding, frame, layer, columns, values", "mapping"
        )
    for name, table in tables.items():
        for key, value in (table if isinstance(table, dict) else {name: None}).items():
            if key not in PLACE_COLUMNS or not isinstance(value, str | date):
                raise _wrong(
                    f"{name}.{key} must be a column of ours ({', '.join(PLACE_COLUMNS)}) and text", name
                )
            table[key] = str(value)
    for key, value in single.items():
        if not isinstance(value, str):
            raise _wrong(f"{key} must be text", key)
    return DutyMapping(**tables, **single)


def _wrong(words: str, name: str) -> InvalidInput:
    return InvalidInput("wrong_mapping", words, field=name)


def load(
    session: Session, path: Path, *, on: date, mapping: DutyMapping = DutyMapping(), frame: str | None = None
) -> Loaded:
    """Store the rules of a file; all of them, or none where a single cell cannot be used.

    path : a .csv (or .csv.gz) table, else a file of areas as `gis.areas.read_areas` takes it. on : the day whose
    grid in force the areas are of. frame : of the polygons; it goes before what mapping and file say.
    Raises `InvalidInput` ("bad_rules") whose `faults` name row and column of every cell, and what reading raises.
    """
    table = path.name.lower().endswith((".csv", ".csv.gz"))
    polygons: Mapping[int, BaseGeometry] = {}
    faults: list[Fault] = []
    if table:
        rows = _table(path, mapping)
    else:
        rows, polygons, faults = _features(path, mapping, frame)
    known = known_names(session, on)
    within = {number: _smallest_area(session, shape, on) for number, shape in polygons.items()}
    read: list[DutyRow] = []
    for number, cells in rows.items():
        if not table and number not in polygons:
            continue
        if not table and within[number] is None:
            faults.append(Fault(number, "geometry", "lies in no district of the grid in force"))
            continue
        one = read_duty(number, cells, known, places=not table, area=within.get(number))
        if isinstance(one, list):
            faults += one
        else:
            read.append(one)
    ended, clashes = _standing(session, read)
    faults += clashes
    if faults:
        raise bad_rules(path.name, faults)
    if not read:
        raise InvalidInput("bad_rules", f"{path.name} holds no rule", field="file", faults=[])
    return _store(session, read, polygons, ended)


def _table(path: Path, mapping: DutyMapping) -> dict[int, dict[str, str]]:
    source = CsvSource(path, encoding=mapping.encoding)
    theirs = _theirs(mapping, LIST_COLUMNS, source.columns, ("category", "area", "lead", *_ALWAYS))
    rows: dict[int, dict[str, str]] = {}
    for block in source.blocks():
        if block.malformed:
            first = block.malformed[0]
            raise InvalidInput(
                "bad_table", f"{path.name}, row {first.line}: {first.reason}", field="file", row=first.line
            )
        for line, cells in block.rows.to_dict("index").items():
            rows[int(str(line))] = {
                **{ours: str(cells[column]) for ours, column in theirs.items()},
                **mapping.values,
            }
    return rows


def _features(
    path: Path, mapping: DutyMapping, frame: str | None
) -> tuple[dict[int, dict[str, str]], dict[int, BaseGeometry], list[Fault]]:
    """Return cells and polygons by row, the first feature being row 2 as in a table, and shapes that are broken."""
    areas = read_areas(path, layer=mapping.layer, frame=frame or mapping.frame)
    columns = [str(name) for name in areas.frame.columns if name != "geometry"]
    theirs = _theirs(mapping, PLACE_COLUMNS, columns, ("kind", "name", *_ALWAYS))
    rows, polygons, faults = {}, {}, []
    for place, (_, feature) in enumerate(areas.frame.iterrows()):
        number = place + 2
        rows[number] = {
            **{ours: _text(feature[column]) for ours, column in theirs.items()},
            **mapping.values,
        }
        shape = feature["geometry"]
        if place in areas.problems or shape is None:
            faults.append(Fault(number, "geometry", str(areas.problems.get(place, ("", "no shape"))[1])))
        elif not shape.is_valid:
            faults.append(
                Fault(number, "geometry", f"its outline is broken: {shapely.is_valid_reason(shape)}")
            )
        else:
            polygons[number] = shape
    return rows, polygons, faults


def _theirs(
    mapping: DutyMapping, ours: Sequence[str], columns: Iterable[str], needed: Iterable[str]
) -> dict[str, str]:
    """Return ours -> theirs for the columns that the file has; one that is needed or mapped must be there."""
    present = set(columns)
    named = {column: mapping.columns.get(column, column) for column in ours}
    for column in (*mapping.columns, *(one for one in needed if one not in mapping.values)):
        theirs = named.get(column, column)
        if theirs not in present:
            raise InvalidInput(
                "unknown_column",
                f"{column} is to be in a column {theirs!r}, but the file has {', '.join(sorted(present))}: rename "
                "it, or say in a mapping what it is called or what holds for every row",
                field=f"columns.{column}",
                got=theirs,
                wanted=sorted(present),
            )
    return {column: theirs for column, theirs in named.items() if theirs in present}


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ";".join(str(one) for one in value)
    return "" if pd.isna(value) else str(value)


def known_names(session: Session, on: date) -> Known:
    """Return what a rule may name: categories in use, areas of the grid in force on a day, departments."""
    departments: dict[str, set[str]] = {}
    for district, code in session.execute(select(Department.district_code, Department.code)):
        departments.setdefault(district, set()).add(code)
    return Known(
        categories=set(session.scalars(select(Category.code).where(Category.retired_on.is_(None)))),
        areas=set(atlas.current(session, on=on).names),
        departments=departments,
    )


def _smallest_area(session: Session, shape: BaseGeometry, on: date) -> str | None:
    """Return the smallest area in force that holds a polygon, None where no district does."""
    drawn = func.ST_GeomFromEWKB(from_shape(shape, srid=STORAGE_SRID, extended=True).data)
    outside = func.ST_Area(cast(func.ST_Difference(drawn, Grid.boundary), Geography(srid=STORAGE_SRID)))
    return session.scalar(
        select(Grid.code)
        .join(Edition, Edition.id == Grid.edition_id)
        .where(
            atlas.in_force(on),
            Grid.boundary.op("&&")(drawn),
            or_(func.ST_Covers(Grid.boundary, drawn), outside <= OUTSIDE_M2),
        )
        .order_by(func.length(Grid.code).desc(), Grid.code)
        .limit(1)
    )


_Key = tuple[RuleKind, str, str | None, str | None]


def _standing(session: Session, rows: Sequence[DutyRow]) -> tuple[dict[int, date], list[Fault]]:
    """Return the rules in the list that end where a new one begins, and the rows that find their place taken."""
    kept: dict[_Key, list[Responsibility]] = {}
    for rule in session.scalars(
        select(Responsibility).where(~Responsibility.draft).order_by(Responsibility.id)
    ):
        kept.setdefault((rule.kind, rule.area_code, rule.category_code, rule.name), []).append(rule)
    ended: dict[int, date] = {}
    faults: list[Fault] = []
    seen: dict[_Key, list[DutyRow]] = {}
    for row in rows:
        key = _key(row)
        for other in seen.setdefault(key, []):
            if _overlap(other.since, other.until, row.since, row.until):
                words = f"row {other.row} is for the same place, category and days"
                faults.append(Fault(row.row, "effective_from", words))
        seen[key].append(row)
        for rule in kept.get(key, []):
            if not _overlap(rule.effective_from, rule.effective_to, row.since, row.until):
                continue
            if rule.effective_from >= row.since:
                words = f"rule {rule.id} of the list holds from {rule.effective_from} already"
                faults.append(Fault(row.row, "effective_from", words))
            elif not _goes_on(rule, row, rows, key):
                words = (
                    f"rule {rule.id} holds beyond this day: say in a row of its own who leads from then on"
                )
                faults.append(Fault(row.row, "effective_to", words))
            else:
                ended[rule.id] = min(row.since, ended.get(rule.id, date.max))
    return ended, faults


def _goes_on(rule: Responsibility, row: DutyRow, rows: Sequence[DutyRow], key: _Key) -> bool:
    """Tell whether somebody is named for all days that a rule loses to a row."""
    if row.until is None or (rule.effective_to is not None and rule.effective_to <= row.until):
        return True
    return any(_key(other) == key and other.since == row.until for other in rows)


def _key(row: DutyRow) -> _Key:
    return (row.kind, row.area, row.category, row.name)


def _overlap(since: date, until: date | None, other_since: date, other_until: date | None) -> bool:
    return since < (other_until or date.max) and other_since < (until or date.max)


def _store(
    session: Session, rows: Sequence[DutyRow], polygons: Mapping[int, BaseGeometry], ended: Mapping[int, date]
) -> Loaded:
    for rule_id, day in ended.items():
        session.get_one(Responsibility, rule_id).effective_to = day
    made = [
        Responsibility(
            kind=row.kind,
            name=row.name,
            category_code=row.category,
            area_code=row.area,
            boundary=from_shape(polygons[row.row], srid=STORAGE_SRID) if row.row in polygons else None,
            lead=row.lead,
            cooperating=list(row.cooperating),
            contact_name=row.contact_name,
            contact_phone=row.contact_phone,
            basis=DutyBasis(row.basis),
            source=row.source,
            effective_from=row.since,
            effective_to=row.until,
        )
        for row in rows
    ]
    session.add_all(made)
    session.flush()
    return Loaded(added=tuple(rule.id for rule in made), ended=tuple(sorted(ended)))


def listing(
    session: Session, *, area: str | None = None, category: str | None = None, on: date | None = None
) -> Sequence[Responsibility]:
    """Return rules by area, category and number: those that hold in an area, for a category, on a day."""
    wanted: list[Any] = [~Responsibility.draft]
    if area is not None:
        wanted.append(touching(area))
    if category is not None:
        wanted.append(or_(Responsibility.category_code == category, Responsibility.category_code.is_(None)))
    if on is not None:
        wanted.append(in_force(on))
    return session.scalars(
        select(Responsibility)
        .where(*wanted)
        .order_by(Responsibility.area_code, Responsibility.category_code.nulls_last(), Responsibility.id)
    ).all()
