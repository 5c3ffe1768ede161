"""The cases as columns in the memory of the process: what every figure is made of, always equal to the rows.

One store a database, shared by the threads of the process. It holds the cases of the months (of `received_at`, UTC)
that somebody asked for, as numpy arrays. At each question one statement asks what has changed since, and takes that
over; so a figure is of the moment of its question, as one by SQL would be, and costs no scan of the tables.

What has changed is told by the trace: every change of a case writes a step in the same transaction (the one change
that does not is named at `grids.figures.taking._editions_now`). Ids of steps become visible out of order, for a
transaction may hold a lower id than one that is over already. So a step is looked for again until no transaction can
be left that holds a lower one: at each question the highest id in its snapshot is noted with the number that the next
transaction would get; once every transaction below that number is over, all ids up to that one are settled.

Months that are not here yet are read one after the other, and meanwhile questions about others are answered. What was
changed after the snapshot that a month is read in has a step above those settled before it; and which are settled
stands still until the month is here. So the next question looks for all that it lacks. This wants each statement to
see what was committed before it, as PostgreSQL's READ COMMITTED does.

Whoever asks in a transaction that has written sees what it wrote: its facts are read for this question alone, and
nobody else ever sees them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from grids.figures.reading import Columns, Head, changed_since, codes_of, head, received_in
from grids.tables import Incident

__all__ = ["FactStore", "Facts", "facts", "pool_of"]

MOST_CHANGES = 20_000  # more than this are read as whole months
_TRIES = 4  # to read what is missing while more than `MOST_CHANGES` change at a time
MOST_CASES = 24_000_000  # in memory; the months that were asked for least recently go first

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Month:
    """The cases of one month and their tasks, by id; arrays that are never changed once they are here.

    In place of codes and categories stand `grid`, `overdue_grid` (-1 for none) and `category`: positions in the
    vocabulary of the store. tasks has `row` too: the position of its case.
    """

    cases: Columns
    tasks: Columns


class Facts:
    """The cases of some months at one moment.

    codes, categories : what `grid`, `overdue_grid` and `category` are positions in. own : read for the one who asks,
    with what its transaction wrote. For columns see `grids.figures.reading.Rows`.
    """

    def __init__(
        self, months: Iterable[Month], codes: list[str], categories: list[str], *, own: bool
    ) -> None:
        self._months = tuple(months)
        self.codes, self.categories, self.own = codes, categories, own
        self._cases: dict[str, NDArray[Any]] = {}
        self._tasks: dict[str, NDArray[Any]] = {}

    @cached_property
    def n(self) -> int:
        """How many cases there are."""
        return sum(month.cases["id"].size for month in self._months)

    def case(self, name: str) -> NDArray[Any]:
        """Return a column of the cases, (n,)."""
        if name not in self._cases:
            self._cases[name] = np.concatenate([month.cases[name] for month in self._months])
        return self._cases[name]

    def task(self, name: str) -> NDArray[Any]:
        """Return a column of the tasks; `row` is the position of its case."""
        if name not in self._tasks:
            parts = [month.tasks[name] for month in self._months]
            if name == "row":
                sizes = np.array([month.cases["id"].size for month in self._months])
                parts = [part + start for part, start in zip(parts, np.cumsum(sizes) - sizes, strict=True)]
            self._tasks[name] = np.concatenate(parts)
        return self._tasks[name]


@dataclass
class _Words:
    """Words by their position, in the order in which they came."""

    words: list[str] = field(default_factory=list)
    places: dict[Any, int] = field(default_factory=dict)

    def places_of(self, keys: NDArray[Any], words: Any) -> NDArray[np.int32]:
        """Return the position of each key; new ones get the next, with `words(keys)` for their words."""
        different, inverse = np.unique(keys, return_inverse=True)
        new = [key for key in different.tolist() if key not in self.places]
        if new:
            for key, word in zip(new, words(np.array(new, dtype=keys.dtype)), strict=True):
                self.places[key] = len(self.words)
                self.words.append(word)
        at = np.array([self.places[key] for key in different.tolist()], dtype=np.int32)
        return at[inverse] if at.size else np.zeros(keys.shape, dtype=np.int32)


def _categories(keys: NDArray[Any]) -> list[str]:
    return [key.decode().rstrip() for key in keys.tolist()]


class FactStore:
    """The facts of one database; see the head of this module. May be asked by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # of all below
        self._reads = threading.Lock()  # taken before the other, by the one who reads a month
        self._reading = False  # a month is being read, and `_low` stands still
        self._forget()

    def _forget(self) -> None:
        self._months: OrderedDict[int, Month] = OrderedDict()
        self._codes, self._kinds = _Words(), _Words()
        self._low: int | None = (
            None  # every step up to this id is in the arrays; None before there is such an id
        )
        self._seen = 0  # the highest id of a step
        self._waiting: list[tuple[int, int]] = []  # (highest id seen, number of the next transaction)
        self._asked: dict[int, int] = {}  # process -> the beginning of its transaction that asked last
        self._home: int | None = None
        self._last: tuple[tuple[int, ...], Facts] | None = None

    def facts(self, session: Session, since: datetime, until: datetime) -> Facts:
        """Return the cases that came in during the months which a period touches, as they are now.

        since : included; until : not included. The arrays hold whole months: the caller cuts the edges off.
        """
        # what was changed while months are read is taken over after them, in one statement: so all are of one
        # moment, and only then an answer
        for _ in range(_TRIES):
            with self._lock:
                if not self._follow(session):
                    break
                wanted = self._wanted(session, since, until)
                missing = [number for number in wanted if number not in self._months]
                if not missing:
                    return self._answer(session, wanted)
            for number in reversed(missing):  # what most ask for first
                self._load(session, number)
        return _read_for_one(session, since, until)

    def _answer(self, session: Session, wanted: tuple[int, ...]) -> Facts:
        for number in wanted:
            self._months.move_to_end(number)
        held = sum(month.cases["id"].size for month in self._months.values())
        for number in [number for number in self._months if number not in wanted]:
            if held <= MOST_CASES:
                break
            held -= self._months.pop(number).cases["id"].size
        if self._last is None or self._last[0] != wanted:
            months = [self._months[number] for number in wanted] or [_nothing(session)]
            self._last = (wanted, Facts(months, self._codes.words, self._kinds.words, own=False))
        return self._last[1]

    # -- following the trace

    def _follow(self, session: Session) -> bool:
        """Take over what has changed; False where this session's facts are to be read for it alone.

        That is so where its transaction has written, and where some transaction of before the first question is
        still going on: nobody knows from which id on its steps will be.
        """
        now = head(session)
        if now.wrote or (now.home == self._home and now.last_step < self._seen):
            return False
        if now.home != self._home:
            self._forget()
            self._home = now.home
        if self._low is None or now.last_step == self._low:
            self._note(now)
            return self._low is not None
        rows = changed_since(session, self._low, MOST_CHANGES)
        if rows.head.home != self._home:
            return False
        self._note(rows.head)
        if rows.cases["id"].size > MOST_CHANGES:
            self._months.clear()
            self._last = None
        else:
            self._apply(self._placed(rows.cases), rows.tasks)
        return self._low is not None

    def _note(self, head: Head) -> None:
        """Draw what a snapshot tells: which of the steps that were seen before are settled now."""
        process, began = head.transaction
        if self._asked.get(process) != began:
            # within one transaction the number of the next is told once and then stands still
            self._waiting.append((head.last_step, head.upcoming))
            self._asked[process] = began
        self._seen = max(self._seen, head.last_step)
        settled = [last for last, upcoming in self._waiting if upcoming <= head.settled]
        if settled and not self._reading:
            self._low = max(self._low or 0, *settled)
            self._waiting = [pair for pair in self._waiting if pair[1] > head.settled]

    def _apply(self, cases: Columns, tasks: Columns) -> None:
        """Put cases in the place of those with the same ids."""
        if not cases["id"].size:
            return
        ids, months = np.sort(cases["id"]), _month_numbers(cases["received"])
        for number, month in self._months.items():
            new, gone = months == number, _among(month.cases["id"], ids)
            if not new.any() and not gone.any():
                continue
            fresh = {name: column[new] for name, column in cases.items()}
            theirs = np.isin(tasks["case"], fresh["id"])
            merged = _merged(month, gone, fresh, {name: column[theirs] for name, column in tasks.items()})
            if merged is not month:
                self._months[number] = merged
                self._last = None

    # -- reading months

    def _wanted(self, session: Session, since: datetime, until: datetime) -> tuple[int, ...]:
        first, last = _month_of(since), _month_of(until - timedelta(microseconds=1))
        if any(number not in self._months for number in range(first, last + 1)):
            oldest, newest = (
                session.scalar(select(end(Incident.received_at))) for end in (func.min, func.max)
            )
            if oldest is None or newest is None:
                return ()
            first, last = max(first, _month_of(oldest)), min(last, _month_of(newest))
        return tuple(range(first, last + 1))

    def _load(self, session: Session, number: int) -> None:
        year, month = divmod(number, 12)
        begins = datetime(year, month + 1, 1, tzinfo=UTC)
        ends = datetime(year + (month == 11), (month + 1) % 12 + 1, 1, tzinfo=UTC)
        with self._reads:
            with self._lock:
                if number in self._months:  # somebody else has read it
                    return
                self._reading, home = True, self._home
            try:
                rows = received_in(session, begins, ends)
                with self._lock:
                    if self._home == rows.head.home == home:
                        self._months[number] = _month(self._placed(rows.cases), rows.tasks)
            finally:
                self._reading = False

    def _placed(self, cases: Columns) -> Columns:
        overdue = cases["overdue_grid"]
        late = np.full(overdue.shape, -1, dtype=np.int32)
        late[overdue != 0] = self._codes.places_of(overdue[overdue != 0], codes_of)
        return {
            **cases,
            "grid": self._codes.places_of(cases["grid"], codes_of),
            "overdue_grid": late,
            "category": self._kinds.places_of(cases["category"], _categories),
        }


def _nothing(session: Session) -> Month:
    rows = received_in(session, *[datetime(1970, 1, 1, tzinfo=UTC)] * 2)
    return _month(FactStore()._placed(rows.cases), rows.tasks)


def _read_for_one(session: Session, since: datetime, until: datetime) -> Facts:
    alone = FactStore()
    rows = received_in(session, since, until)
    month = _month(alone._placed(rows.cases), rows.tasks)
    return Facts([month], alone._codes.words, alone._kinds.words, own=True)


def _merged(month: Month, gone: Bools, cases: Columns, tasks: Columns) -> Month:
    """Return a month without the cases that are gone and with others; the same month where nothing differs."""
    cases = _ordered(cases, np.argsort(cases["id"]))
    before = _ordered(month.cases, gone)
    theirs = _among(month.tasks["case"], np.sort(np.concatenate([before["id"], cases["id"]])))
    tasks = _ordered(tasks, np.lexsort((tasks["id"], tasks["case"])))
    tasks_differ = any(
        not np.array_equal(month.tasks[name][theirs], column) for name, column in tasks.items()
    )
    if not np.array_equal(before["id"], cases["id"]):
        together = {name: np.concatenate([old[~gone], cases[name]]) for name, old in month.cases.items()}
    else:  # as nearly always: only the columns that differ are copied
        together = dict(month.cases)
        for name, column in cases.items():
            if not np.array_equal(before[name], column):
                together[name] = month.cases[name].copy()
                together[name][gone] = column
        if not tasks_differ:
            same = all(together[name] is column for name, column in month.cases.items())
            return month if same else Month(together, month.tasks)
    others = {name: np.concatenate([month.tasks[name][~theirs], column]) for name, column in tasks.items()}
    return _month(together, others)


def _month(cases: Columns, tasks: Columns) -> Month:
    """Return a month of columns in any order."""
    if (np.diff(cases["id"]) < 0).any():
        cases = _ordered(cases, np.argsort(cases["id"]))
    tasks = _ordered(tasks, np.lexsort((tasks["id"], tasks["case"])))
    row = np.searchsorted(cases["id"], tasks["case"]).astype(np.int64)
    return Month(cases, {**tasks, "row": row})


def _ordered(columns: Columns, order: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {name: column[order] for name, column in columns.items()}


def _among(ids: Ints, some: Ints) -> Bools:
    """Tell which ids are among some; both are in order."""
    marks = np.zeros(ids.size + 1, dtype=np.int32)
    np.add.at(marks, np.searchsorted(ids, some, side="left"), 1)
    np.add.at(marks, np.searchsorted(ids, some, side="right"), -1)
    among: Bools = np.cumsum(marks)[:-1] > 0
    return among


def _month_of(moment: datetime) -> int:
    at = moment.astimezone(UTC)
    return at.year * 12 + at.month - 1


def _month_numbers(received: Ints) -> Ints:
    # datetime64 counts months from January 1970
    return received.view("datetime64[us]").astype("datetime64[M]").astype(np.int64) + 1970 * 12


# by connection pool, which all engines on one database share
_stores: WeakKeyDictionary[Pool, FactStore] = WeakKeyDictionary()
_making = threading.Lock()


def pool_of(session: Session) -> Pool:
    """Return the pool of a session's database: what things in memory that are of one database are kept by."""
    bind = session.get_bind()
    return (bind.engine if isinstance(bind, Connection) else bind).pool


def facts(session: Session, since: datetime, until: datetime) -> Facts:
    """Return the cases that came in during the months which a period touches; see `FactStore.facts`."""
    with _making:
        store = _stores.setdefault(pool_of(session), FactStore())
    return store.facts(session, since, until)
