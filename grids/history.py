"""Cases of another system on their way into the tables: their rows, their one step each, and how they are copied.

Each case is the same as one that the use cases would write: its step is sealed as `grids.trace` seals it, its
explanation that of `grids.rules.explanation.cell`. Both are written once as stencils and then filled row by row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from psycopg import sql
from sqlalchemy import ARRAY, Integer, Text, cast, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import InvalidInput
from grids.profile import Profile
from grids.rules import explanation
from grids.rules.calendar import SHANGHAI
from grids.rules.lifecycle import INCIDENT
from grids.rules.permissions import SYSTEM, Role
from grids.rules.stencils import Stencil, as_json, mark
from grids.rules.trace import content_of, sealed
from grids.tables import Incident, NumberSeries, Placement, Trace

__all__ = ["Copying", "Names", "Sheets", "copying", "reserve", "written"]

_MOST_A_DAY = 99_999  # five digits of an incident's number

_INCIDENT_COLUMNS = (
    "id",
    "number",
    "source_key",
    "status",
    "round",
    "channel",
    "text",
    "address",
    "category_code",
    "point",
    "native_lon",
    "native_lat",
    "native_frame",
    "edition_id",
    "grid_code",
    "placement",
    "border_distance_m",
    "explanation",
    "received_at",
    "closed_at",
    "rework_count",
    "trace_seq",
    "trace_hash",
    "version",
)
_TRACE_COLUMNS = (
    "incident_id",
    "seq",
    "at",
    "actor_id",
    "actor",
    "unit",
    "machine",
    "subject",
    "row",
    "action",
    "from_state",
    "to_state",
    "payload",
    "previous_hash",
    "hash",
)
_SUBJECT, _PAYLOAD = _TRACE_COLUMNS.index("subject"), _TRACE_COLUMNS.index("payload")

_EWKB = np.dtype([("order", "u1"), ("kind", "<u4"), ("srid", "<u4"), ("lon", "<f8"), ("lat", "<f8")])
_POINT_WITH_SRID = 0x20000001

_NULL = r"\N"
_ENDS_A_CELL = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


@dataclass(frozen=True, slots=True)
class Names:
    """The id and the number of each row that is to be written, in its order."""

    ids: Sequence[int]
    numbers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Sheets:
    """Cases and their steps as PostgreSQL's COPY reads them."""

    incidents: bytes
    steps: bytes


def reserve(session: Session, rows: pd.DataFrame) -> Names:
    """Take ids and numbers for rows with `received` and `grid_code`: a series a county and local day.

    Raises `InvalidInput` ("too_many_numbers").
    """
    sequence = select(func.nextval(func.pg_get_serial_sequence("incident", "id")))
    ids = session.scalars(sequence.select_from(func.generate_series(1, len(rows)))).all()
    return Names(ids, _numbers(session, rows))


def _numbers(session: Session, rows: pd.DataFrame) -> list[str]:
    days = rows["received"].dt.tz_convert(SHANGHAI).dt.strftime("%Y%m%d")
    stems = (days + rows["grid_code"].str[:6]).tolist()
    wanted = Counter(stems)
    # in one order for everybody, so that two imports wait for each other instead of locking each other out
    series = sorted(wanted)
    asked = (
        func.unnest(
            cast([f"incident {stem}" for stem in series], ARRAY(Text)),
            cast([wanted[stem] for stem in series], ARRAY(Integer)),
        )
        .table_valued("name", "last")
        .render_derived()
    )
    statement = insert(NumberSeries).from_select(["name", "last"], select(asked.c.name, asked.c.last))
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


def written(
    rows: pd.DataFrame, names: Names, profile: Profile, edition_names: Mapping[int, str], now: datetime
) -> Sheets:
    """Write out rows that were read and placed, in their last state, with the one step of each."""
    forms = _Forms(profile, edition_names, now)
    incidents, steps = [], []
    for row, case, number, shape in zip(_facts(rows), names.ids, names.numbers, _ewkb(rows), strict=True):
        form = forms.of(row.closed is not None, row.how, row.edition_id)
        category = profile.categories.get(row.word.casefold(), profile.default_category)
        channel = profile.channels.get(row.channel_word, profile.default_channel).value
        places = {
            "number": f'"{number}"',
            "source_id": as_json(row.id),
            "channel": f'"{channel}"',
            "lon": f'"{row.lon}"',
            "lat": f'"{row.lat}"',
            "short_lon": f'"{row.lon:.7f}"',
            "short_lat": f'"{row.lat:.7f}"',
            "border_m": f'"{row.border_distance_m:.1f}"',
            "grid": f'"{row.grid_code}"',
            "category": "null" if category is None else f'"{category}"',
            "received_at": f'"{row.received}"',
            "closed_at": "null" if row.closed is None else f'"{row.closed}"',
        }
        seal = r"\\x" + sealed(None, form.content.filled(places).encode()).hex()
        steps.append(
            f"{case}\t{form.step_begins}\t{number}\t{form.step_ends}\t"
            f"{_cell(form.payload.filled(places))}\t{_NULL}\t{seal}\n"
        )
        incidents.append(
            "\t".join(
                (
                    str(case),
                    number,
                    _cell(f"{profile.source}:{row.id}"),
                    form.status,
                    "1",
                    channel,
                    _cell(row.text or row.word or f"{profile.source} {row.id}"),
                    _cell(row.address) if row.address else _NULL,
                    category or _NULL,
                    shape,
                    str(row.lon),
                    str(row.lat),
                    profile.frame.value,
                    _NULL if row.edition_id is None else str(row.edition_id),
                    row.grid_code,
                    row.how,
                    str(row.border_distance_m),
                    _cell(form.why.filled(places)),
                    row.received,
                    row.closed or _NULL,
                    "0",
                    "1",
                    seal,
                    "1\n",
                )
            )
        )
    return Sheets("".join(incidents).encode(), "".join(steps).encode())


@dataclass(frozen=True, slots=True)
class _Form:
    """What cases have in common that arrive in one state, came to lie in one way, and in one edition."""

    status: str
    content: Stencil
    payload: Stencil
    why: Stencil
    step_begins: str
    step_ends: str


class _Forms:
    """The forms of one import, each made when it is first needed."""

    def __init__(self, profile: Profile, edition_names: Mapping[int, str], now: datetime) -> None:
        self._profile, self._edition_names, self._now = profile, edition_names, now
        self._made: dict[tuple[bool, str, int | None], _Form] = {}

    def of(self, closed: bool, how: str, edition: int | None) -> _Form:
        key = (closed, how, edition)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._make(*key)
        return found

    def _make(self, closed: bool, how: str, edition: int | None) -> _Form:
        frame = self._profile.frame.value
        action = "import_closed" if closed else "import_open"
        move = INCIDENT.decide(None, action, Role.SYSTEM)
        # of texts and whole numbers only, as the history holds them
        payload = {
            "source": self._profile.source,
            "frame": frame,
            "placement": how,
            "edition": edition,
            **{
                name: mark(name)
                for name in (
                    "source_id",
                    "channel",
                    "lon",
                    "lat",
                    "grid",
                    "category",
                    "received_at",
                    "closed_at",
                )
            },
        }
        content = content_of(
            incident_number=mark("number"),
            seq=1,
            at=self._now,
            actor_id=SYSTEM.person_id,
            actor=f"{SYSTEM.name} ({SYSTEM.role})",
            unit=SYSTEM.unit,
            machine=INCIDENT.name,
            subject=mark("number"),
            row=move.row,
            action=action,
            from_state=None,
            to_state=move.target.value,
            payload=payload,
        )
        # where it came to lie is the one choice that is ours
        why = explanation.cell(
            None if how == Placement.OUTSIDE else mark("grid"),
            how,
            at=self._now,
            edition=edition,
            edition_name=None if edition is None else self._edition_names.get(edition),
            frame=frame,
            lon=0.0,
            lat=0.0,
            border_m=0.0,
        )
        why["facts"] |= {name: mark(f"short_{name}") for name in ("lon", "lat")} | {
            "border_m": mark("border_m")
        }
        begins, ends = _TRACE_COLUMNS[1:_SUBJECT], _TRACE_COLUMNS[_SUBJECT + 1 : _PAYLOAD]
        return _Form(
            status=move.target.value,
            content=Stencil(content),
            payload=Stencil(payload),
            why=Stencil([why]),
            step_begins="\t".join(_plain_cell(content[name]) for name in begins),
            step_ends="\t".join(_plain_cell(content[name]) for name in ends),
        )


def _plain_cell(value: object) -> str:
    return _NULL if value is None else _cell(str(value))


def _cell(text: str) -> str:
    """Return a text as a cell of COPY's text format."""
    return text.translate(_ESCAPES) if _ENDS_A_CELL.search(text) else text


class _Fact(NamedTuple):
    """One row that is to become an incident; moments as the history writes them."""

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
    received: str
    closed: str | None


def _facts(rows: pd.DataFrame) -> Iterator[_Fact]:
    columns: dict[str, list[Any]] = {
        name: rows[name].astype(object).tolist() for name in ("id", "text", "address", "word", "channel_word")
    }
    for name in ("lon", "lat", "border_distance_m"):
        columns[name] = rows[name].astype(float).tolist()
    columns["grid_code"], columns["how"] = rows["grid_code"].tolist(), rows["how"].tolist()
    editions = rows["edition_id"].fillna(0).astype(int).tolist()
    columns["edition_id"] = [one or None for one in editions]
    columns["received"], columns["closed"] = _moments(rows["received"]), _moments(rows["closed"])
    return map(_Fact._make, zip(*(columns[name] for name in _Fact._fields), strict=True))


def _moments(moments: pd.Series[Any]) -> list[str | None]:
    """Return moments as `grids.rules.trace.rendered` writes them, None where there is none."""
    naive = moments.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    texts = np.asarray(np.datetime_as_string(naive, unit="us"), dtype=object)
    return [None if text == "NaT" else f"{text}Z" for text in texts]


def _ewkb(rows: pd.DataFrame) -> list[str]:
    """Return the points as PostGIS reads them, in hexadecimal: little-endian EWKB, 25 bytes each."""
    points = np.zeros(len(rows), dtype=_EWKB)
    points["order"], points["kind"], points["srid"] = 1, _POINT_WITH_SRID, STORAGE_SRID
    points["lon"], points["lat"] = rows["storage_lon"].to_numpy(), rows["storage_lat"].to_numpy()
    digits, width = points.tobytes().hex(), 2 * _EWKB.itemsize
    return [digits[begin : begin + width] for begin in range(0, len(digits), width)]


class Copying:
    """Copies sheets in the session's transaction while the next ones are being made."""

    def __init__(self, session: Session, thread: ThreadPoolExecutor) -> None:
        self._driver: Any = session.connection().connection.driver_connection
        self._thread = thread
        self._running: Future[None] | None = None

    def start(self, sheets: Sheets | None) -> None:
        """Begin to copy; until `finish` has returned, nobody else may use the session."""
        self.finish()
        if sheets is not None:
            self._running = self._thread.submit(self._copy, sheets)

    def finish(self) -> None:
        """Wait until all that was started is in the tables; raises what the database said of it."""
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def _copy(self, sheets: Sheets) -> None:
        for table, columns, lines in (
            (Incident, _INCIDENT_COLUMNS, sheets.incidents),
            (Trace, _TRACE_COLUMNS, sheets.steps),
        ):
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(table.__tablename__), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            with self._driver.cursor() as cursor, cursor.copy(statement) as copy:
                copy.write(lines)


@contextmanager
def copying(session: Session) -> Iterator[Copying]:
    """Open the way into the tables; what was started is finished first, also when the block fails."""
    session.flush()
    with ThreadPoolExecutor(1) as thread:
        way = Copying(session, thread)
        yield way
        way.finish()
