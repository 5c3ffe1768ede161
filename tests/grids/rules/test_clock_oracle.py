"""Due moments against an oracle that walks through the minutes, written from the rule in words.

It shares nothing with the product: the days of the notices are typed in here, the clock is a row of minutes that count
or do not, and every case is stepped from minute to minute until as many have counted as the limit has.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gis.errors import Unavailable
from grids.rules.calendar import OFFICE_HOURS, Window, WorkCalendar
from grids.rules.holidays import days_of_year
from grids.rules.limits import Limit, Unit, due

# first day off, how many; as the notices of the State Council for 2024, 2025 and 2026 say
OFF = """2024-01-01 1  2024-02-10 8  2024-04-04 3  2024-05-01 5  2024-06-10 1  2024-09-15 3  2024-10-01 7
2025-01-01 1  2025-01-28 8  2025-04-04 3  2025-05-01 5  2025-05-31 3  2025-10-01 8
2026-01-01 3  2026-02-15 9  2026-04-04 3  2026-05-01 5  2026-06-19 3  2026-09-25 3  2026-10-01 7"""
MADE_UP = """2024-02-04 2024-02-18 2024-04-07 2024-04-28 2024-05-11 2024-09-14 2024-09-29 2024-10-12
2025-01-26 2025-02-08 2025-04-27 2025-09-28 2025-10-11
2026-01-04 2026-02-14 2026-02-28 2026-05-09 2026-09-20 2026-10-10"""

FIRST, LAST = date(2024, 1, 1), date(2026, 12, 31)
KNOWN = (LAST - FIRST).days + 1
BEYOND = 120  # days after the last known one, so that clocks which always run have where to go
A_DAY = 24 * 60
NO, COUNTS, UNKNOWN = 0, 1, 2


def minute_of(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def made_up() -> set[date]:
    return {date.fromisoformat(word) for word in MADE_UP.split()}


def notices() -> list[bool]:
    """Whether each day of the three years is worked."""
    words, off = OFF.split(), set()
    for first, days in zip(words[::2], words[1::2], strict=True):
        off |= {date.fromisoformat(first) + timedelta(days=n) for n in range(int(days))}
    on, worked = made_up(), []
    for number in range(KNOWN):
        day = FIRST + timedelta(days=number)
        worked.append(day in on or (day.isoweekday() <= 5 and day not in off))
    return worked


@dataclass(frozen=True)
class City:
    """A calendar: which days are worked, until when that is known, and the office hours."""

    worked: tuple[bool, ...]
    windows: tuple[Window, ...]

    def product(self) -> WorkCalendar:
        return WorkCalendar(
            {FIRST + timedelta(days=n): works for n, works in enumerate(self.worked)}, self.windows
        )

    def rows(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """One mark for each minute: is an office open in it; is it the last open one of a worked day."""
        open_, closing = (np.full((KNOWN + BEYOND) * A_DAY, UNKNOWN, dtype=np.uint8) for _ in range(2))
        last = max(minute_of(window.closes) for window in self.windows) - 1
        for number, works in enumerate(self.worked):
            midnight = number * A_DAY
            open_[midnight : midnight + A_DAY] = closing[midnight : midnight + A_DAY] = NO
            if not works:
                continue
            closing[midnight + last] = COUNTS
            for window in self.windows:
                open_[midnight + minute_of(window.opens) : midnight + minute_of(window.closes)] = COUNTS
        return open_, closing


@dataclass(frozen=True)
class Question:
    """When is a limit due that starts at a minute, counted from the first of 2024?"""

    city: int
    start: int
    value: Decimal
    unit: Unit


REFUSED = -1


def walk(questions: list[Question], cities: list[City]) -> NDArray[np.int64]:
    """Step all questions from minute to minute; return the due minute of each, REFUSED at an unknown day.

    Hours: so many minutes count, of the open office or of all. Days: the day of the start does not count, and the
    limit ends with the n-th closing time of a worked day, or with the n-th midnight.
    """
    always = np.full((KNOWN + BEYOND) * A_DAY, COUNTS, dtype=np.uint8)
    midnights = np.where(np.arange(always.size) % A_DAY == A_DAY - 1, COUNTS, NO).astype(np.uint8)
    marks = np.concatenate([always, midnights, *(row for city in cities for row in city.rows())])
    place, left = np.empty(len(questions), dtype=np.int64), np.empty(len(questions), dtype=np.int64)
    for number, asked in enumerate(questions):
        in_days = asked.unit in (Unit.WORK_DAY, Unit.NATURAL_DAY)
        works = asked.unit in (Unit.WORK_DAY, Unit.WORK_HOUR)
        row = 2 + 2 * asked.city + in_days if works else int(in_days)
        begin = (asked.start // A_DAY + 1) * A_DAY if in_days else asked.start
        place[number] = row * always.size + begin
        left[number] = int(asked.value) if in_days else int(asked.value * 60)
    ends = np.full(len(questions), REFUSED, dtype=np.int64)
    alive = np.arange(len(questions))
    while alive.size:
        mark = marks[place]
        place += 1
        left -= mark == COUNTS
        done, lost = left == 0, mark == UNKNOWN
        if done.any() or lost.any():
            ends[alive[done]] = place[done] % always.size
            on = ~(done | lost)
            alive, place, left = alive[on], place[on], left[on]
    return ends


def cities(chance: random.Random, number: int) -> list[City]:
    """The calendar of the notices, and others: other office hours, any days off and made up, an earlier end."""
    found = [City(tuple(notices()), OFFICE_HOURS)]
    while len(found) < number:
        edges = sorted(chance.sample(range(6 * 12, 22 * 12), 2 * chance.randint(1, 3)))
        windows = tuple(
            Window(time(*divmod(a * 5, 60)), time(*divmod(b * 5, 60)))
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        )
        known = KNOWN - chance.choice([0, 0, 200, 500])
        worked = tuple(
            chance.random() < (0.93 if (FIRST + timedelta(days=n)).isoweekday() <= 5 else 0.08)
            for n in range(known)
        )
        found.append(City(worked, windows))
    return found


def questions(chance: random.Random, number: int, known: list[City]) -> list[Question]:
    """Random starts and limits on every clock; the real calendar is asked most, round every made-up day first."""
    asked = []
    near = [
        (day - FIRST).days * A_DAY + shift for day in sorted(made_up()) for shift in (0, -A_DAY, -3 * A_DAY)
    ]
    for count in range(number):
        unit = list(Unit)[count % 5]
        city = 0 if count % 2 else chance.randrange(len(known))
        base = near[count % len(near)] if count < 5 * len(near) else chance.randrange(KNOWN) * A_DAY
        days = unit in (Unit.WORK_DAY, Unit.NATURAL_DAY)
        value = Decimal(chance.randint(1, 25)) if days else Decimal(chance.randint(1, 60 * 20)) / 20
        asked.append(Question(0 if base in near else city, base + chance.randrange(A_DAY), value, unit))
    return asked


def moment(minute: int) -> datetime:
    # 2024 to 2027 the clocks of China are eight hours before UTC, without summer time
    return datetime(2023, 12, 31, 16, tzinfo=UTC) + timedelta(minutes=minute)


def answer(asked: Question, calendar: WorkCalendar) -> int:
    try:
        end = due(moment(asked.start), Limit(asked.value, asked.unit), calendar)
    except Unavailable:
        return REFUSED
    minutes, rest = divmod(end - moment(0), timedelta(minutes=1))
    assert not rest, f"{asked} ends within a minute"
    return minutes


def test_due_moments_agree_with_walking_through_the_minutes(soak: bool, publish: Any) -> None:
    chance = random.Random(20261121)
    known = cities(chance, 16)
    asked = questions(chance, 500_000 if soak else 50_000, known)
    calendars = [city.product() for city in known]

    walked = walk(asked, known)
    ours = np.array([answer(one, calendars[one.city]) for one in asked])

    wrong = np.flatnonzero(ours != walked)
    assert not wrong.size, [
        (asked[n], moment(asked[n].start).isoformat(), int(ours[n]), int(walked[n])) for n in wrong[:5]
    ]
    for unit in Unit:  # every clock was asked, and the working ones ran into days that nobody knows
        refused = walked[[one.unit is unit for one in asked]] == REFUSED
        assert refused.size >= len(asked) // 5 - 1
        assert refused.any() == (unit in (Unit.WORK_DAY, Unit.WORK_HOUR))
    ends = {FIRST + timedelta(days=int(end - 1) // A_DAY) for end in walked[walked != REFUSED]}
    assert made_up() <= ends
    publish("B4", moments=len(asked), calendars=len(known), differ=0)


def test_a_calendar_without_made_up_days_is_found_out(publish: Any) -> None:
    chance = random.Random(7)
    known = cities(chance, 1)
    plain = tuple(
        works and (FIRST + timedelta(days=n)).isoweekday() <= 5 for n, works in enumerate(known[0].worked)
    )
    asked = questions(chance, 600, known)

    walked = walk(asked, known)
    ours = np.array([answer(one, City(plain, OFFICE_HOURS).product()) for one in asked])

    differ = dict.fromkeys(Unit, 0)
    for one, same in zip(asked, ours == walked, strict=True):
        differ[one.unit] += not same
    assert differ[Unit.WORK_DAY] > 30
    assert differ[Unit.WORK_HOUR] > 30
    publish("B4-control", moments=len(asked), differ=sum(differ.values()))
    assert differ[Unit.NATURAL_DAY] == differ[Unit.NATURAL_HOUR] == differ[Unit.URGENT_HOUR] == 0


def test_the_library_and_the_notices_agree_on_every_day() -> None:
    ours = [one.working for year in (2024, 2025, 2026) for one in days_of_year(year)]

    assert ours == notices()


def test_a_year_that_nobody_loaded_is_refused() -> None:
    calendar = City(tuple(notices()), OFFICE_HOURS).product()

    for unit in (Unit.WORK_DAY, Unit.WORK_HOUR):
        with pytest.raises(Unavailable, match="2027"):
            due(datetime(2026, 12, 31, 9, tzinfo=UTC), Limit(8, unit), calendar)


PROGRAM = """
import time
from datetime import UTC, datetime, timedelta
from grids.rules.calendar import WorkCalendar, local_day
from grids.rules.holidays import days_of_year
from grids.rules.limits import Limit, Unit, due
calendar = WorkCalendar({d.day: d.working for y in (2024, 2025, 2026) for d in days_of_year(y)})
print(time.strftime("%z", time.localtime(1767225600)))
for n in range(700):
    start = datetime(2024, 1, 3, tzinfo=UTC) + timedelta(hours=37 * n, minutes=11 * n)
    for unit in Unit:
        print(local_day(start), due(start, Limit(1 + n % 7, unit), calendar).isoformat())
"""


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_the_time_zone_of_the_machine_changes_no_due_moment(zone: str, publish: Any) -> None:
    def told(zone: str) -> tuple[str, list[str]]:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        )
        offset, *rest = done.stdout.splitlines()
        return offset, rest

    at_home, abroad = told("UTC"), told(zone)

    assert at_home[0] != abroad[0]  # the zone took effect
    assert len(at_home[1]) == 3500
    assert at_home[1] == abroad[1]
    publish("B5-" + zone.replace("/", "_"), zone=zone, moments=len(abroad[1]), differ=0)
