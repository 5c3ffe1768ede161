"""The rows that every benchmark returns, and the one table that shows them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["RUNS", "Row", "median_seconds", "render"]

RUNS = 5


class Row(NamedTuple):
    """One program at one task; ours and its peers share the task's name."""

    task: str
    program: str
    value: float | None
    """What was measured, a median of `RUNS`; None where the program could not run."""
    unit: str
    ratio: float | None = None
    """How many times better ours did; None for ours and where there is nothing to compare."""
    note: str = ""


def median_seconds(
    programs: Mapping[str, Callable[[], object]], clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return the median time in seconds that each program takes over `RUNS` runs.

    clock : `time.process_time` for what it takes of all processors, which other programs disturb less.

    The programs take turns, so that a busy spell of the machine meets all of them; each runs once uncounted
    right before it is timed, so that none pays for the memory caches that another has filled.
    """
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(RUNS):
        for name, run in programs.items():
            run()
            begun = clock()
            run()
            seconds[name].append(clock() - begun)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def render(rows: Sequence[Row]) -> str:
    """Return the rows as one plain table, a blank line before each new task."""
    head = ("task", "program", "median", "unit", "ours is", "note")
    cells = [
        (
            row.task,
            row.program,
            "-" if row.value is None else f"{row.value:,.2f}",
            row.unit,
            "" if row.ratio is None else f"{row.ratio:,.1f} x",
            row.note,
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in [head, *cells]) for i in range(len(head))]
    right = {2, 4}

    def line(values: Sequence[str]) -> str:
        padded = (
            value.rjust(width) if i in right else value.ljust(width)
            for i, (value, width) in enumerate(zip(values, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    lines = [line(head), line(["-" * width for width in widths])]
    for i, row in enumerate(cells):
        if i and row[0] != cells[i - 1][0]:
            lines.append("")
        lines.append(line(row))
    return "\n".join(lines)
