"""The history of another system: its table of incidents becomes incidents of ours, placed in today's grid.

What happened there is not ours to invent. A case comes in its last state, closed or still open, with one step
in its trace that says where it comes from; no clock runs for it and nobody is messaged. Each row has a key,
"<source>:<id>", so that the same file imported again adds nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import InvalidInput
from grids import atlas, catalogue
from grids.csvtables import CsvSource, Rejects
from grids.ground.framing import PointSample
from grids.locating import place_table
from grids.profile import ISO, Profile
from grids.rules import explanation
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.categories import shipped_categories
from grids.rules.lifecycle import INCIDENT
from grids.rules.permissions import SYSTEM, Role
from grids.rules.trace import chain_hash, rendered
from grids.tables import Category, Incident, NumberSeries, Placement, Trace

__all__ = ["Imported", "import_incidents"]

_IMPORT_LOCK = 7_301_002  # one import of a source at a time, so that neither misses what the other adds
_BLOCK_ROWS = 10_000
_LONGEST_ID = 200
_MOST_A_DAY = 99_999  # five digits of an incident's number
_WITH_OFFSET = re.compile(r":\d{2}(?:[.,]\d+)?\s?(?:Z|[+-]\d{2}(?::?\d{2})?)$")

Texts = NDArray[np.object_]


@dataclass
class Imported:
    """What became of the rows.

    read = imported + already_there + the sum of rejected (reason -> rows). placed : how -> rows, of those
    imported. closed, open : of those imported. unmapped : words of the category column that the profile does
    not list -> rows; these came with its default category, or with none. frame_doubt : why the coordinates look as
    if they were counted in another frame, as `grids.ground.framing.PointSample.doubt` says it; None where they do not.
    """

    read: int = 0
    imported: int = 0
    already_there: int = 0
    closed: int = 0
    open: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    placed: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    frame_doubt: dict[str, object] | None = None


def import_incidents(
    session: Session,
    source: CsvSource,
    profile: Profile,
    rejects: Rejects,
    *,
    now: datetime,
    dry_run: bool = False,
) -> Imported:
    """Import a table of incidents; the caller commits all of it or nothing.

    Rows without an id, a place or a readable time, rows that were closed before they were received, and rows
    whose id came earlier in the file are turned away to `rejects`. A point outside every grid is kept and waits
    for a person to place it. dry_run : look at every row and write nothing.
    Raises `Unavailable` ("no_grid"), and `InvalidInput`: "unknown_column", "unknown_category", "axes_swapped",
    "too_many_numbers", and what `CsvSource.blocks` raises.
    """
    for key, column in profile.columns.named():
        source.require(column, f"columns.{key}")
    _check_categories(session, profile)
    atlas.hold_edition(session)
    grid = atlas.current(session, on=local_day(now))
    session.execute(select(func.pg_advisory_xact_lock(_IMPORT_LOCK, func.hashtext(profile.source))))
    if not dry_run:
        catalogue.ensure_categories(session)
    done = Imported()
    columns = profile.columns
    sample = PointSample(profile.frame, (source.path.stem, columns.lon, columns.lat))
    taken: set[str] = set()
    for block in source.blocks(_BLOCK_ROWS):
        done.read += len(block.rows) + len(block.malformed)
        rejects.add_malformed(block.malformed)
        sample.add(block.rows[columns.lon], block.rows[columns.lat])
        rows = _read(block.rows, profile, rejects, now)
        rows = _placed(rows, grid, profile, block.rows, rejects)
        again = rows["id"].duplicated() | rows["id"].isin(taken)
        _turn_away(block.rows, again[again].index, "its id came earlier in the file", rejects)
        rows = rows[~again]
        taken.update(rows["id"])
        rows = rows[~_known(session, profile, rows["id"])]
        done.already_there += int((~again).sum()) - len(rows)
        if not dry_run and len(rows):
            _write(session, rows, profile, grid.edition_names, now)
        _count(done, rows, profile)
    done.rejected = dict(rejects.reasons)
    done.frame_doubt = sample.doubt(grid)
    return done


def _check_categories(session: Session, profile: Profile) -> None:
    known = set(session.scalars(select(Category.code))) or {rule.code for rule in shipped_categories()}
    named = {f"categories.{word}": code for word, code in profile.categories.items()}
    if profile.default_category is not None:
        named["defaults.category"] = profile.default_category
    for key, code in named.items():
        if code not in known:
            raise InvalidInput(
                "unknown_category",
                f"the profile maps to category {code!r}, which is not in the list",
                field=key,
                got=code,
            )


def _read(cells: pd.DataFrame, profile: Profile, rejects: Rejects, now: datetime) -> pd.DataFrame:
    """Return the rows that make sense in themselves, indexed by line, under our own column names."""
    columns = profile.columns
    rows = pd.DataFrame(index=cells.index)
    rows["id"] = cells[columns.id].str.strip()
    rows["lon"], rows["lat"] = cells[columns.lon], cells[columns.lat]
    rows["text"] = _joined(cells, columns.text)
    rows["address"] = cells[columns.address].str.strip() if columns.address else ""
    rows["word"] = cells[columns.category].str.strip() if columns.category else ""
    rows["channel_word"] = cells[columns.channel].str.strip().str.casefold() if columns.channel else ""
    received, closed = cells[columns.received].str.strip(), None
    rows["received"] = _moments(received, profile)
    rows["closed"] = pd.Series(pd.NaT, index=cells.index, dtype=rows["received"].dtype)
    if columns.closed:
        closed = cells[columns.closed].str.strip()
        rows["closed"] = _moments(closed, profile)
        # of an hour that the clock shows twice a year, a closing time means the later one where it has to
        second = _moments(closed, profile, dst=False)
        rows["closed"] = rows["closed"].where(~(rows["closed"] < rows["received"]), second)
    present = pd.Timestamp(now)
    whole = rows["id"] + rows["text"] + rows["address"] + rows["word"]
    reason = np.select(
        [
            rows["id"] == "",
            rows["id"].str.len() > _LONGEST_ID,
            whole.str.contains("\x00", regex=False),
            received == "",
            rows["received"].isna(),
            rows["received"] > present,
            rows["closed"].isna() & (closed != "") if closed is not None else np.zeros(len(rows), dtype=bool),
            rows["closed"] < rows["received"],
            rows["closed"] > present,
        ],
        [
            "no id",
            f"its id is longer than {_LONGEST_ID} characters",
            "text that holds U+0000",
            "no time of receipt",
            "its time of receipt cannot be read",
            "received in the future",
            "its closing time cannot be read",
            "closed before it was received",
            "closed in the future",
        ],
        "",
    ).astype(object)
    bad = reason != ""
    rejects.add(cells[bad], reason[bad].tolist())
    whole_rows: pd.DataFrame = rows.loc[~bad]
    return whole_rows


def _joined(cells: pd.DataFrame, names: Sequence[str]) -> Texts:
    """Return the texts of several columns as one, each once, the empty ones left out."""
    if not names:
        return np.full(len(cells), "", dtype=object)
    parts = [cells[name].str.strip().tolist() for name in names]
    joined = ["; ".join(dict.fromkeys(part for part in row if part)) for row in zip(*parts, strict=True)]
    return np.array(joined, dtype=object)


def _moments(texts: pd.Series[Any], profile: Profile, *, dst: bool = True) -> pd.Series[Any]:
    """Return the moments (aware, UTC) that texts tell, NaT where none of the formats fits.

    A wall-clock time without an offset is one of the profile's zone: of two in the hour that comes twice the
    first, with dst=False the second; of one in the hour that is left out, the end of that hour.
    """
    found = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us, UTC]")
    for wanted in profile.time_formats:
        left = found.isna() & (texts != "")
        aware = (
            texts.str.contains(_WITH_OFFSET) if wanted == ISO else left if "%z" in wanted else ~left & left
        )
        layout = "ISO8601" if wanted == ISO else wanted
        if (left & aware).any():
            moments = pd.to_datetime(texts[left & aware], format=layout, errors="coerce", utc=True)
            found[left & aware] = moments.astype(found.dtype)
        plain = left & ~aware
        if plain.any():
            wall = pd.to_datetime(texts[plain], format=layout, errors="coerce")
            moments = wall.dt.tz_localize(
                profile.zone, ambiguous=np.full(len(wall), dst), nonexistent="shift_forward"
            )
            found[plain] = moments.dt.tz_convert("UTC").astype(found.dtype)
    return found


def _placed(
    rows: pd.DataFrame, grid: atlas.Atlas, profile: Profile, cells: pd.DataFrame, rejects: Rejects
) -> pd.DataFrame:
    """Return the rows that have a place, with their cell, or the nearest district for those in none."""
    placed = place_table(rows, grid, lon="lon", lat="lat", frame=profile.frame)
    rejects.add(cells.loc[placed.rejects.index], placed.rejects["reason"].tolist())
    found = placed.rows.rename(columns={"edition": "edition_id"})
    outside = (found["how"] == Placement.OUTSIDE.value).to_numpy()
    if outside.any():
        away = found.loc[outside, ["storage_lon", "storage_lat"]].to_numpy(dtype=np.float64)
        nearest, metres = grid.locator.nearest(away[:, 0], away[:, 1])
        found.loc[outside, "grid_code"] = [str(code)[:6] for code in grid.codes[nearest]]
        found.loc[outside, "border_distance_m"] = np.round(metres, 1)
    return found


def _turn_away(cells: pd.DataFrame, lines: pd.Index[Any], reason: str, rejects: Rejects) -> None:
    rejects.add(cells.loc[lines], [reason] * len(lines))


def _known(session: Session, profile: Profile, ids: pd.Series[Any]) -> pd.Series[Any]:
    keys = [f"{profile.source}:{one}" for one in ids]
    there = set(session.scalars(select(Incident.source_key).where(Incident.source_key == func.any(keys))))
    return pd.Series([key in there for key in keys], index=ids.index, dtype=bool)


def _write(
    session: Session, rows: pd.DataFrame, profile: Profile, edition_names: Mapping[int, str], now: datetime
) -> None:
    """Copy rows and the one step of each into the tables."""
    rows = rows.sort_values("received", kind="stable")
    numbers = _numbers(session, rows)
    sequence = select(func.nextval(func.pg_get_serial_sequence("incident", "id")))
    ids = session.scalars(sequence.select_from(func.generate_series(1, len(rows)))).all()
    points = shapely.points(rows["storage_lon"].to_numpy(), rows["storage_lat"].to_numpy())
    shapes = shapely.to_wkb(shapely.set_srid(points, STORAGE_SRID), hex=True, include_srid=True)
    moves = {name: INCIDENT.decide(None, name, Role.SYSTEM) for name in ("import_open", "import_closed")}
    always: dict[str, Any] = {
        "seq": 1,
        "at": now,
        "actor_id": SYSTEM.person_id,
        "actor": f"{SYSTEM.name} ({SYSTEM.role})",
        "unit": SYSTEM.unit,
        "machine": INCIDENT.name,
        "from_state": None,
    }
    incidents, steps = [], []
    for row, incident_id, number, shape in zip(_facts(rows), ids, numbers, shapes, strict=True):
        action = "import_open" if row.closed is None else "import_closed"
        category = profile.categories.get(row.word.casefold(), profile.default_category)
        channel = profile.channels.get(row.channel_word, profile.default_channel).value
        # of texts and whole numbers only, as the history holds them
        payload = {
            "source": profile.source,
            "source_id": row.id,
            "channel": channel,
            "lon": str(row.lon),
            "lat": str(row.lat),
            "frame": profile.frame.value,
            "grid": row.grid_code,
            "placement": row.how,
            "edition": row.edition_id,
            "category": category,
            "received_at": rendered(row.received),
            "closed_at": None if row.closed is None else rendered(row.closed),
        }
        move = moves[action]
        step = {
            **always,
            "subject": number,
            "row": move.row,
            "action": action,
            "to_state": move.target.value,
            "payload": payload,
        }
        # where it came to lie is the one choice that is ours
        why = explanation.cell(
            None if row.how == Placement.OUTSIDE else row.grid_code,
            row.how,
            at=now,
            edition=row.edition_id,
            edition_name=edition_names.get(row.edition_id) if row.edition_id is not None else None,
            frame=profile.frame.value,
            lon=row.lon,
            lat=row.lat,
            border_m=row.border_distance_m,
        )
        seal = chain_hash(None, incident_number=number, **step)
        steps.append(
            {
                **step,
                "incident_id": incident_id,
                "payload": json.dumps(payload, ensure_ascii=False),
                "previous_hash": None,
                "hash": seal,
            }
        )
        incidents.append(
            {
                "id": incident_id,
                "number": number,
                "source_key": f"{profile.source}:{row.id}",
                "status": move.target.value,
                "round": 1,
                "channel": channel,
                "text": row.text or row.word or f"{profile.source} {row.id}",
                "address": row.address or None,
                "category_code": category,
                "point": shape,
                "native_lon": row.lon,
                "native_lat": row.lat,
                "native_frame": profile.frame.value,
                "edition_id": row.edition_id,
                "grid_code": row.grid_code,
                "placement": row.how,
                "border_distance_m": row.border_distance_m,
                "explanation": json.dumps([why], ensure_ascii=False),
                "received_at": row.received,
                "closed_at": row.closed,
                "rework_count": 0,
                "trace_seq": 1,
                "trace_hash": seal,
                "version": 1,
            }
        )
    _copy(session, Incident.__tablename__, incidents)
    _copy(session, Trace.__tablename__, steps)


class _Fact(NamedTuple):
    """One row that is to become an incident, as plain values."""

    id: str
    text: str
    address: str
    word: str
    channel_word: str
    lon: float
    lat: float
    grid_code: str
    how: str
    border_distance_m: float
    edition_id: int | None
    received: datetime
    closed: datetime | None


def _facts(rows: pd.DataFrame) -> Iterator[_Fact]:
    columns = {name: rows[name].astype(object).tolist() for name in _Fact._fields}
    columns["lon"] = rows["lon"].astype(float).tolist()
    columns["lat"] = rows["lat"].astype(float).tolist()
    columns["edition_id"] = [None if pd.isna(one) else int(one) for one in columns["edition_id"]]
    for name in ("received", "closed"):
        columns[name] = [None if one is pd.NaT else one.to_pydatetime() for one in columns[name]]
    return map(_Fact._make, zip(*columns.values(), strict=True))


def _numbers(session: Session, rows: pd.DataFrame) -> list[str]:
    """Give out incident numbers: a series a county and local day, as for those reported here."""
    days = rows["received"].dt.tz_convert(SHANGHAI).dt.strftime("%Y%m%d")
    stems = (days + rows["grid_code"].str[:6]).tolist()
    wanted = Counter(stems)
    # in one order for everybody, so that two imports wait for each other instead of locking each other out
    values = [{"name": f"incident {stem}", "last": wanted[stem]} for stem in sorted(wanted)]
    statement = insert(NumberSeries).values(values)
    statement = statement.on_conflict_do_update(
        index_elements=["name"], set_={"last": NumberSeries.last + statement.excluded.last}
    )
    given = session.execute(statement.returning(NumberSeries.name, NumberSeries.last))
    last = dict(given.all())
    upcoming = {stem: last[f"incident {stem}"] - count for stem, count in wanted.items()}
    numbers = []
    for stem in stems:
        upcoming[stem] += 1
        numbers.append(f"{stem}{upcoming[stem]:05d}")
    full = [stem for stem, number in upcoming.items() if number > _MOST_A_DAY]
    if full:
        raise InvalidInput(
            "too_many_numbers",
            f"more than {_MOST_A_DAY} incidents of {full[0][:8]} in district {full[0][8:]}: is the time of receipt "
            "in the right column?",
            field="columns.received",
            got=full[0],
        )
    return numbers


def _copy(session: Session, table: str, rows: Sequence[dict[str, Any]]) -> None:
    driver: Any = session.connection().connection.driver_connection
    names = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(list(row.values()))


def _count(done: Imported, rows: pd.DataFrame, profile: Profile) -> None:
    done.imported += len(rows)
    done.closed += int(rows["closed"].notna().sum())
    done.open += int(rows["closed"].isna().sum())
    done.placed.update(rows["how"])
    words = rows.loc[rows["word"] != "", "word"]
    done.unmapped.update(word for word in words if word.casefold() not in profile.categories)
