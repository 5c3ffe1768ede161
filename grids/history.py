"""Cases of another system on their way into the tables: their rows, their one step each, and how they are copied.

Each case is the same as one that the use cases would write: its step is sealed as `grids.trace` seals it, its
explanation that of `grids.rules.explanation.cell`. Both are written once as stencils and then filled for all rows.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from grids.numbers import Names
from grids.profile import Profile
from grids.rules import explanation
from grids.rules.lifecycle import INCIDENT
from grids.rules.permissions import SYSTEM, Role
from grids.rules.stencils import Stencil, as_json, mark
from grids.rules.trace import content_of, sealed
from grids.tables import Incident, Placement, Trace

__all__ = ["Copying", "Sheets", "copying", "written"]

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
_STEP_VARIES = ("incident_id", "subject", "payload", "hash")
_OPEN_IN_PAYLOAD = ("source_id", "channel", "lon", "lat", "grid", "category", "received_at", "closed_at")

_EWKB = np.dtype([("order", "u1"), ("kind", "<u4"), ("srid", "<u4"), ("lon", "<f8"), ("lat", "<f8")])
_POINT_WITH_SRID = 0x20000001

_TURN_SECONDS = 0.0003

_NULL = r"\N"
_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}  # the first one first: it begins the others

Texts = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Sheets:
    """Cases and their steps as PostgreSQL's COPY reads them."""

    incidents: bytes
    steps: bytes


def written(
    rows: pd.DataFrame, names: Names, profile: Profile, edition_names: Mapping[int, str], now: datetime
) -> Sheets:
    """Write out rows that were read and placed, in their last state, with the one step of each.

    Rows that arrive in one state, lie in their cell in one way and in one edition share a form, so each form is
    written once and filled for all of its rows, a column after the other.
    """
    columns = _columns(rows, names, profile)
    incidents, steps = (np.empty(len(rows), dtype=object) for _ in range(2))
    alike: dict[tuple[bool, str, int], list[int]] = {}
    editions = rows["edition_id"].fillna(0).astype(int).tolist()
    for at, key in enumerate(
        zip(rows["closed"].notna().tolist(), rows["how"].tolist(), editions, strict=True)
    ):
        alike.setdefault(key, []).append(at)
    for (closed, how, edition), at_rows in alike.items():
        form = _Form.of(closed, how, edition or None, profile=profile, edition_names=edition_names, now=now)
        incidents[at_rows], steps[at_rows] = form.filled(
            {name: column[at_rows].tolist() for name, column in columns.items()}
        )
    return Sheets("".join(incidents.tolist()).encode(), "".join(steps.tolist()).encode())


@dataclass(frozen=True, slots=True)
class _Form:
    """What cases have in common that arrive in one state, came to lie in one way, and in one edition.

    content, payload, why : what is hashed, the part of it that the step keeps, and the explanation.
    incident, step : the cells of their rows that are the same for all, ready for COPY.
    """

    content: Stencil
    payload: Stencil
    why: Stencil
    incident: Mapping[str, str]
    step: Mapping[str, str]

    @classmethod
    def of(
        cls,
        closed: bool,
        how: str,
        edition: int | None,
        *,
        profile: Profile,
        edition_names: Mapping[int, str],
        now: datetime,
    ) -> _Form:
        frame = profile.frame.value
        action = "import_closed" if closed else "import_open"
        move = INCIDENT.decide(None, action, Role.SYSTEM)
        # of texts and whole numbers only, as the history holds them
        payload = {
            "source": profile.source,
            "frame": frame,
            "placement": how,
            "edition": edition,
            **{name: mark(name) for name in _OPEN_IN_PAYLOAD},
        }
        content = content_of(
            incident_number=mark("number"),
            seq=1,
            at=now,
            actor_id=SYSTEM.person_id,
            actor=f"{SYSTEM.name} ({SYSTEM.role})",
            unit=SYSTEM.unit,
            machine=INCIDENT.name,
            subject=mark("number"),
            row=move.row,
            action=action,
            from_state=None,
            to_state=move.target.value,
            payload={},
        )
        # where it came to lie is the one choice that is ours
        why = explanation.cell(
            None if how == Placement.OUTSIDE else mark("grid"),
            how,
            at=now,
            edition=edition,
            edition_name=None if edition is None else edition_names.get(edition),
            frame=frame,
            lon=0.0,
            lat=0.0,
            border_m=0.0,
        )
        why["facts"] |= {name: mark(name) for name in ("lon", "lat")} | {"border_m": mark("border_m")}
        same = {
            name: content[name] for name in _TRACE_COLUMNS if name in content and name not in _STEP_VARIES
        }
        incident = {
            "status": move.target.value,
            "round": 1,
            "native_frame": frame,
            "edition_id": edition,
            "placement": how,
            "rework_count": 0,
            "trace_seq": 1,
            "version": 1,
        }
        return cls(
            # the payload stands in what is hashed as the step keeps it, so it is filled once
            content=Stencil(content | {"payload": mark("payload")}),
            payload=Stencil(payload),
            why=Stencil([why]),
            incident={name: _plain_cell(value) for name, value in incident.items()},
            step={name: _plain_cell(value) for name, value in {**same, "previous_hash": None}.items()},
        )

    def filled(self, columns: Mapping[str, list[Any]]) -> tuple[list[str], list[str]]:
        """Return the rows of incidents and of steps, with the columns that `_columns` makes of these rows."""
        payload = self.payload.filled({name: columns[f"json_{name}"] for name in _OPEN_IN_PAYLOAD})
        content = self.content.filled({"number": columns["json_number"], "payload": payload})
        why = self.why.filled(
            {
                "grid": columns["json_grid"],
                "lon": [f'"{lon:.7f}"' for lon in columns["native_lon"]],
                "lat": [f'"{lat:.7f}"' for lat in columns["native_lat"]],
                "border_m": [f'"{metres:.1f}"' for metres in columns["border_distance_m"]],
            }
        )
        seals = [rf"\\x{sealed(None, text.encode()).hex()}" for text in content]
        incidents = {**columns, "explanation": _json_cells(why), "trace_hash": seals}
        steps = {
            "incident_id": columns["id"],
            "subject": columns["number"],
            "payload": _json_cells(payload),
            "hash": seals,
        }
        return _lines(_INCIDENT_COLUMNS, self.incident, incidents), _lines(_TRACE_COLUMNS, self.step, steps)


def _lines(names: Sequence[str], same: Mapping[str, str], columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return rows as lines of COPY's text format; same : cells that all of them have in common."""
    cells = [same[name].replace("%", "%%") if name in same else "%s" for name in names]
    shape = "\t".join(cells) + "\n"
    return [shape % row for row in zip(*(columns[name] for name in names if name not in same), strict=True)]


def _plain_cell(value: object) -> str:
    return _NULL if value is None else _cells([str(value)])[0]


def _cells(texts: list[str]) -> list[str]:
    """Return texts without U+0000 as cells of COPY's text format."""
    whole = "\0".join(texts)
    # one look at all of them, for hardly any has one of these
    if not any(one in whole for one in _ESCAPES):
        return texts
    for one, escaped in _ESCAPES.items():
        whole = whole.replace(one, escaped)
    return whole.split("\0")


def _json_cells(texts: list[str]) -> list[str]:
    """Return JSON texts as cells of COPY's text format: they have no tab, and lines do not end in them."""
    return [text.replace("\\", r"\\") if "\\" in text else text for text in texts]


def _columns(rows: pd.DataFrame, names: Names, profile: Profile) -> dict[str, Texts]:
    """Return what differs from row to row: columns of incidents, as cells, and places of stencils, as JSON."""
    ids, words = rows["id"].tolist(), rows["word"].tolist()
    category = {
        word: profile.categories.get(word.casefold(), profile.default_category) for word in set(words)
    }
    spoken = rows["channel_word"].tolist()
    channel = {word: profile.channels.get(word, profile.default_channel).value for word in set(spoken)}
    categories, channels = [category[word] for word in words], [channel[word] for word in spoken]
    received, closed = _moments(rows["received"]), _moments(rows["closed"])
    lon, lat = rows["lon"].astype(float).tolist(), rows["lat"].astype(float).tolist()
    grids, numbers = rows["grid_code"].tolist(), list(names.numbers)
    texts = [
        text or word or f"{profile.source} {one}"
        for text, word, one in zip(rows["text"], words, ids, strict=True)
    ]
    made: dict[str, Sequence[Any]] = {
        "id": names.ids,
        "number": numbers,
        "source_key": _cells([f"{profile.source}:{one}" for one in ids]),
        "channel": channels,
        "text": _cells(texts),
        "address": [cell or _NULL for cell in _cells(rows["address"].tolist())],
        "category_code": [code or _NULL for code in categories],
        "point": _ewkb(rows),
        "native_lon": lon,
        "native_lat": lat,
        "grid_code": grids,
        "border_distance_m": rows["border_distance_m"].astype(float).tolist(),
        "received_at": received,
        "closed_at": [moment or _NULL for moment in closed],
        "json_source_id": list(map(as_json, ids)),
    }
    for name, values in (
        ("number", numbers),
        ("channel", channels),
        ("lon", lon),
        ("lat", lat),
        ("grid", grids),
        ("category", categories),
        ("received_at", received),
        ("closed_at", closed),
    ):
        made[f"json_{name}"] = ["null" if value is None else f'"{value}"' for value in values]
    return {name: _objects(values) for name, values in made.items()}


def _objects(values: Sequence[Any]) -> Texts:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _moments(moments: pd.Series[Any]) -> list[str | None]:
    """Return moments as `grids.rules.trace.rendered` writes them, None where there is none."""
    naive = moments.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    texts = np.datetime_as_string(naive, unit="us").tolist()
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
    """Open the way into the tables; what was started is finished first, also when the block fails.

    Meanwhile threads of this process take turns more often, and what is there already is not looked at for garbage.
    """
    session.flush()
    usual = sys.getswitchinterval()
    # The database has 6 ms of work in its socket when it asks for more; the usual 5 ms, that whoever computes may
    # make the thread wait that feeds it, would leave it idle for a third of the time. So would a look at all objects.
    sys.setswitchinterval(_TURN_SECONDS)
    gc.freeze()
    try:
        with ThreadPoolExecutor(1) as thread:
            way = Copying(session, thread)
            yield way
            way.finish()
    finally:
        gc.unfreeze()
        sys.setswitchinterval(usual)
