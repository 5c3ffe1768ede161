"""The schema, one module per noun."""

from __future__ import annotations

from grids.tables.base import Base
from grids.tables.calendar import CalendarDay
from grids.tables.category import Category, DutyBasis, Responsibility
from grids.tables.deadline import Deadline
from grids.tables.grid import Edition, EditionStatus, Grid, Lineage, OpenCases
from grids.tables.incident import IS_OPEN, Callback, Incident, NumberSeries, Placement, Reporter, Solved
from grids.tables.message import IdempotencyKey, Message
from grids.tables.organisation import Department, Station
from grids.tables.people import Person, Post, WebSession
from grids.tables.trace import Trace
from grids.tables.whistle import Score, Task, Whistle

__all__ = [
    "IS_OPEN",
    "Base",
    "CalendarDay",
    "Callback",
    "Category",
    "Deadline",
    "Department",
    "DutyBasis",
    "Edition",
    "EditionStatus",
    "Grid",
    "IdempotencyKey",
    "Incident",
    "Lineage",
    "Message",
    "NumberSeries",
    "OpenCases",
    "Person",
    "Placement",
    "Post",
    "Reporter",
    "Responsibility",
    "Score",
    "Solved",
    "Station",
    "Task",
    "Trace",
    "WebSession",
    "Whistle",
]
