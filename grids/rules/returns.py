"""Sending a task back as not one's own (退单): in time, with a legal basis, decided by somebody else.

The clock of the case runs on meanwhile. A return that is asked for too late is refused by itself (limits differ:
one working day in one published rule, two in another). The third time that a case is handed on, it goes to the
joint meeting instead of to yet another department.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["MOST_HOPS", "ReturnReason"]

MOST_HOPS = 2
"""How often a case may be handed on to another department before a joint meeting has to decide."""


class ReturnReason(StrEnum):
    """Why a department holds that a task is not its own."""

    NOT_OUR_DUTY = "not_our_duty"
    WRONG_AREA = "wrong_area"
    DUPLICATE = "duplicate"
    OTHER_LEAD = "other_lead"
