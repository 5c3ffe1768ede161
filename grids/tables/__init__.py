"""The schema, one module per noun."""

from __future__ import annotations

from grids.tables.base import Base
from grids.tables.calendar import CalendarDay, CalendarDraft
from grids.tables.category import Category, DutyBasis, Responsibility
from grids.tables.deadline import Deadline, Heartbeat
from grids.tables.dispute import Dispute, DisputeStep
from grids.tables.duty import DelegatedPower, DutyList, TaskAdmission
from grids.tables.grid import Edition, EditionStatus, Grid, Lineage, OpenCases
from grids.tables.incident import IS_OPEN, Callback, Incident, NumberSeries, Placement, Reporter, Solved
from grids.tables.limitprofile import DraftStatus, LimitProfile
from grids.tables.longjob import LongJob
from grids.tables.message import Contact, Delivery, DeliveryItem, DutyHours, IdempotencyKey, Message
from grids.tables.organisation import Department, Station
from grids.tables.pause import Extension, LedgerItem, Suspension
from grids.tables.people import Person, Post, WebSession
from grids.tables.place import (
    Campaign,
    CampaignPlace,
    Place,
    PlaceIncident,
    PlacePhoto,
    PlaceStep,
    RainReading,
)
from grids.tables.presence import Attendance, JointAction
from grids.tables.returned import ReturnRequest
from grids.tables.score import Appeal, Appraisal, PeerScore, Score
from grids.tables.slip import Slip
from grids.tables.trace import Trace
from grids.tables.whistle import Task, Whistle

__all__ = [
    "IS_OPEN",
    "Appeal",
    "Appraisal",
    "Attendance",
    "Base",
    "CalendarDay",
    "CalendarDraft",
    "Callback",
    "Campaign",
    "CampaignPlace",
    "Category",
    "Contact",
    "Deadline",
    "DelegatedPower",
    "Delivery",
    "DeliveryItem",
    "Department",
    "Dispute",
    "DisputeStep",
    "DraftStatus",
    "DutyBasis",
    "DutyHours",
    "DutyList",
    "Edition",
    "EditionStatus",
    "Extension",
    "Grid",
    "Heartbeat",
    "IdempotencyKey",
    "Incident",
    "JointAction",
    "LedgerItem",
    "LimitProfile",
    "Lineage",
    "LongJob",
    "Message",
    "NumberSeries",
    "OpenCases",
    "PeerScore",
    "Person",
    "Place",
    "PlaceIncident",
    "PlacePhoto",
    "PlaceStep",
    "Placement",
    "Post",
    "RainReading",
    "Reporter",
    "Responsibility",
    "ReturnRequest",
    "Score",
    "Slip",
    "Solved",
    "Station",
    "Suspension",
    "Task",
    "TaskAdmission",
    "Trace",
    "WebSession",
    "Whistle",
]
