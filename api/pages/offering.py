"""In which order acts are offered: what is needed first, by department, and what is rare behind one fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grids.offers import Action
from grids.rules.tasks import TASK

__all__ = ["ActGroup", "arranged"]


@dataclass(frozen=True, slots=True)
class ActGroup:
    """Acts that belong together. task : id of the task that they are about, None for whistle and incident."""

    task: str | None
    actions: tuple[Action, ...]


_RARE = frozenset(
    {
        "appeal",
        "ask_suspension",
        "cancel",
        "change_departments",
        "dispute",
        "extend",
        "hand_back",
        "ledger",
        "nudge",
        "put_to_leader",
        "regrade",
        "start_remote",
        "suspend",
        "withdraw",
    }
)

# these belong to a decision that is due; where it is not, they are rare too
_WITH = {
    "confirm_presence": "deny_presence",  # one alone: the town takes back what it said
    "deny_presence": "confirm_presence",
    "follow_up": "end_action",
    "merge": "accept",
    "name_liaison": "file",
    "request_return": "respond",
    "rework": "verify",
}

# the other answer of a pair stands behind the plain one
_LATER = frozenset(
    {
        "deny_presence",
        "dismiss",
        "merge",
        "refuse",
        "refuse_extension",
        "refuse_suspension",
        "reject",
        "request_return",
        "rework",
    }
)


def arranged(actions: Sequence[Action]) -> tuple[list[ActGroup], list[ActGroup]]:
    """Return what is offered at once and what stands behind a fold, each by the task that it is about.

    Whistle and incident come first. Where nothing is needed, nothing is folded: what may be done is shown.
    """
    pending = {action.action for action in actions}
    # a request to wait is decided, one way or the other: granting it is no rare act then
    asked = "refuse_suspension" in pending

    def rare(action: Action) -> bool:
        if action.action == "suspend" and asked:
            return False
        if action.action in _WITH:
            partner = _WITH[action.action]
            return not any(
                other.action == partner and (other.key == action.key or other.machine != action.machine)
                for other in actions
            )
        return action.action in _RARE

    first = [action for action in actions if not rare(action)]
    more = [action for action in actions if rare(action)]
    return (_grouped(first), _grouped(more)) if first else (_grouped(more), [])


def _grouped(actions: Sequence[Action]) -> list[ActGroup]:
    groups: dict[str | None, list[Action]] = {None: []}
    for action in actions:
        groups.setdefault(action.key if action.machine == TASK.name else None, []).append(action)
    return [
        ActGroup(task, tuple(sorted(found, key=lambda one: one.action in _LATER)))
        for task, found in groups.items()
        if found
    ]
