"""The history of another system: its table of incidents becomes incidents of ours, placed in today's grid.

What happened there is not ours to invent. A case comes in its last state, closed or still open, with one step
in its trace that says where it comes from; no clock runs for it and nobody is messaged. Each row has a key,
"<source>:<id>", so that the same file imported again adds nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from gis.errors import InvalidInput
from grids import atlas, catalogue, history
from grids.csvtables import CsvSource, Rejects
from grids.ground.framing import PointSample
from grids.locating import place_table
from grids.numbers import Numbering
from grids.profile import ISO, Columns, Profile
from grids.rules.calendar import local_day
from grids.rules.categories import shipped_categories
from grids.tables import Category, Incident, Placement

__all__ = ["Imported", "import_incidents"]

_IMPORT_LOCK = 7_301_002  # one import of a source at a time, so that neither misses what the other adds
_BLOCK_ROWS = 5_000
_LONGEST_ID = 200
_WITH_OFFSET = re.compile(r":\d{2}(?:[.,]\d+)?\s?(?:Z|[+-]\d{2}(?::?\d{2})?)$")

Texts = NDArray[np.object_]


@dataclass
class Imported:
    """What became of the rows.

    read = imported + already_there + left_out + the sum of rejected (reason -> rows). left_out : rows that were not
    asked for. placed : how -> rows, of those
    imported. closed, open : of those imported. unmapped : words of the category column that the profile does
    not list -> rows; these came with its default category, or with none. frame_doubt : why the coordinates look as
    if they were counted in another frame, as `grids.ground.framing.PointSample.doubt` says it; None where they do not.
    """

    read: int = 0
    imported: int = 0
    already_there: int = 0
    left_out: int = 0
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
    only: tuple[str, str] | None = None,
    dry_run: bool = False,
) -> Imported:
    """Import a table of incidents; the caller commits all of it or nothing.

    Rows without an id, a place or a readable time, rows that were closed before they were received, and rows
    whose id came earlier in the file are turned away to `rejects`. A point outside every grid is kept and waits
    for a person to place it. only : a column and a value: rows that hold another there are left out, as if they were
    not in the file. dry_run : look at every row and write nothing.
    Raises `Unavailable` ("no_grid"), and `InvalidInput`: "unknown_column", "unknown_category", "axes_swapped",
    "too_many_numbers", and what `CsvSource.blocks` raises.
    """
    for key, column in profile.columns.named():
        source.require(column, f"columns.{key}")
    if only is not None:
        source.require(only[0], "only")
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
    grown = _holds_any(session, profile)
    numbering = Numbering(session)
    sheets: history.Sheets | None = None
    with history.copying(session) as way:
        for block in source.blocks(_BLOCK_ROWS):
            cells = block.rows
            done.read += len(cells) + len(block.malformed)
            rejects.add_malformed(block.malformed)
            if only is not None:
                cells = cells[cells[only[0]].str.strip() == only[1]]
                done.left_out += len(block.rows) - len(cells)
            sample.add(cells[columns.lon], cells[columns.lat])
            rows = _read(cells, profile, rejects, now)
            rows = _placed(rows, grid, profile, cells, rejects)
            again = rows["id"].duplicated() | rows["id"].isin(taken)
            twice = cells.loc[again[again].index]
            rejects.add(twice, ["its id came earlier in the file"] * len(twice), [columns.id] * len(twice))
            rows = rows[~again].sort_values("received", kind="stable")
            taken.update(rows["id"])
            way.finish()
            if grown:
                rows = rows[~_known(session, profile, rows["id"])]
            names = None if dry_run or rows.empty else numbering.give(rows)
            # the block before goes into the tables while this one is written out and the next is read
            way.start(sheets)
            done.already_there += int((~again).sum()) - len(rows)
            _count(done, rows, profile)
            sheets = None if names is None else history.written(rows, names, profile, grid.edition_names, now)
        way.start(sheets)
        done.frame_doubt = sample.doubt(grid)
    numbering.settle()
    done.rejected = dict(rejects.reasons)
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
    none = pd.Series("", index=cells.index, dtype=object)
    ids, word = _stripped(cells[columns.id]), _stripped(cells[columns.category]) if columns.category else none
    text, address = (
        _joined(cells, columns.text),
        _stripped(cells[columns.address]) if columns.address else none,
    )
    channel = _stripped(cells[columns.channel]).str.casefold() if columns.channel else none
    told = _stripped(cells[columns.received])
    received = _moments(told, profile)
    closed = pd.Series(pd.NaT, index=cells.index, dtype=received.dtype)
    unreadable = np.zeros(len(cells), dtype=bool)
    if columns.closed:
        ended = _stripped(cells[columns.closed])
        closed = _moments(ended, profile)
        early = closed < received
        if early.any():
            # of an hour that the clock shows twice a year, a closing time means the later one where it has to
            closed[early] = _moments(ended[early], profile, dst=False)
        unreadable = (closed.isna() & (ended != "")).to_numpy()
    present = pd.Timestamp(now)
    faults = (
        (ids == "", columns.id, "no id"),
        (
            _true(len(one) > _LONGEST_ID for one in ids),
            columns.id,
            f"its id is longer than {_LONGEST_ID} characters",
        ),
        (_with_nul(ids, text, address, word), "", "text that holds U+0000"),
        (told == "", columns.received, "no time of receipt"),
        (received.isna(), columns.received, "its time of receipt cannot be read"),
        (received > present, columns.received, "received in the future"),
        (unreadable, columns.closed, "its closing time cannot be read"),
        (closed < received, columns.closed, "closed before it was received"),
        (closed > present, columns.closed, "closed in the future"),
    )
    fault = np.select([found for found, _, _ in faults], range(len(faults)), -1)
    bad = fault >= 0
    if bad.any():
        found = [faults[one] for one in fault[bad]]
        rejects.add(cells[bad], [reason for _, _, reason in found], [name or "" for _, name, _ in found])
    rows = pd.DataFrame(
        {
            "id": ids,
            "lon": cells[columns.lon],
            "lat": cells[columns.lat],
            "text": text,
            "address": address,
            "word": word,
            "channel_word": channel,
            "received": received,
            "closed": closed,
        },
        index=cells.index,
        copy=False,
    )
    return rows.loc[~bad] if bad.any() else rows


def _true(answers: Iterable[bool]) -> NDArray[np.bool_]:
    return np.fromiter(answers, dtype=np.bool_)


def _with_nul(*columns: Sequence[str] | pd.Series[Any] | Texts) -> NDArray[np.bool_]:
    """Say which rows hold U+0000 in any of their texts."""
    found = np.zeros(len(columns[0]), dtype=np.bool_)
    for texts in columns:
        if "\x00" in "".join(texts):  # one look at all of them, for hardly any does
            found |= _true("\x00" in text for text in texts)
    return found


def _stripped(texts: pd.Series[Any]) -> pd.Series[Any]:
    # as `.str.strip`, in a fifth of the time: all cells are texts
    return pd.Series([text.strip() for text in texts], index=texts.index, dtype=object)


def _joined(cells: pd.DataFrame, names: Sequence[str]) -> Texts:
    """Return the texts of several columns as one, each once, the empty ones left out."""
    if not names:
        return np.full(len(cells), "", dtype=object)
    parts = [_stripped(cells[name]).tolist() for name in names]
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
    placed = place_table(rows, grid, lon="lon", lat="lat", frame=profile.frame, levels=False)
    reasons = placed.rejects["reason"].tolist()
    rejects.add(
        cells.loc[placed.rejects.index], reasons, [_where_at_fault(one, profile.columns) for one in reasons]
    )
    found = placed.rows.rename(columns={"edition": "edition_id"})
    outside = (found["how"] == Placement.OUTSIDE.value).to_numpy()
    if outside.any():
        away = found.loc[outside, ["storage_lon", "storage_lat"]].to_numpy(dtype=np.float64)
        nearest, metres = grid.locator.nearest(away[:, 0], away[:, 1])
        found.loc[outside, "grid_code"] = [str(code)[:6] for code in grid.codes[nearest]]
        found.loc[outside, "border_distance_m"] = np.round(metres, 1)
    return found


def _where_at_fault(reason: str, columns: Columns) -> str:
    if "longitude" in reason or "easting" in reason:
        return columns.lon
    return columns.lat if "latitude" in reason or "northing" in reason else f"{columns.lon}, {columns.lat}"


def _holds_any(session: Session, profile: Profile) -> bool:
    """Say whether any case of the source is there already; keys are in the order of their bytes, ":" before ";"."""
    key = Incident.source_key
    return bool(
        session.scalar(select(exists().where(key >= f"{profile.source}:", key < f"{profile.source};")))
    )


def _known(session: Session, profile: Profile, ids: pd.Series[Any]) -> pd.Series[Any]:
    keys = [f"{profile.source}:{one}" for one in ids]
    there = set(session.scalars(select(Incident.source_key).where(Incident.source_key == func.any(keys))))
    return pd.Series([key in there for key in keys], index=ids.index, dtype=bool)


def _count(done: Imported, rows: pd.DataFrame, profile: Profile) -> None:
    closed = int(rows["closed"].notna().sum())
    done.imported += len(rows)
    done.closed += closed
    done.open += len(rows) - closed
    done.placed.update(rows["how"].tolist())
    words = Counter(rows["word"].tolist())
    done.unmapped.update(
        {word: count for word, count in words.items() if word and word.casefold() not in profile.categories}
    )
