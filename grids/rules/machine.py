"""A state machine as a table: which act leads from which states to which, and who may do it.

The table is the only source: use cases, routes, pages ("what may I do now") and the reference are made
from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from gis.errors import Conflict, Forbidden
from grids.rules.permissions import Role

__all__ = ["Machine", "Step", "Transition"]

S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Transition(Generic[S]):
    """One row: the act `action` takes any of `sources` to `target` (None: it stays as it is).

    row : name of the row in the reference, such as "I3" or "W6".
    sources : states it starts from; empty for the act that creates the thing.
    level : whistle level the row belongs to; None where levels do not matter.
    """

    row: str
    action: str
    sources: frozenset[S]
    target: S | None
    roles: frozenset[Role]
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """What an act does from one state: the row of the table that allows it, and the state that follows."""

    row: str
    target: S


@dataclass(frozen=True, slots=True)
class Machine(Generic[S]):
    """A named table of transitions."""

    name: str
    transitions: tuple[Transition[S], ...]

    def rows(self, action: str, level: int | None = None) -> Iterator[Transition[S]]:
        """Yield the rows of one action, at one whistle level where rows have levels."""
        for row in self.transitions:
            if row.action == action and (row.level is None or level is None or row.level == level):
                yield row

    def decide(self, state: S | None, action: str, role: Role, *, level: int | None = None) -> Step[S]:
        """Return what `action` does from `state` (None: creation) when a person of this role does it.

        Raises `Conflict` ("illegal_transition") when no row starts from the state, and `Forbidden`
        ("not_your_role") when one does but not for this role.
        """
        rows = [r for r in self.rows(action, level) if (state in r.sources if state else not r.sources)]
        if not rows:
            allowed = sorted({r.action for r in self.transitions if state in r.sources})
            raise Conflict(
                "illegal_transition",
                f"a {self.name} that is {state or 'new'} does not allow '{action}'; it allows "
                + (", ".join(allowed) or "nothing more"),
                machine=self.name,
                state=state,
                action=action,
                allowed=allowed,
            )
        permitted = [r for r in rows if role in r.roles]
        if not permitted:
            raise Forbidden(
                "not_your_role",
                f"'{action}' on a {self.name} is not for a {role}; it is for "
                + ", ".join(sorted({x for r in rows for x in r.roles})),
                machine=self.name,
                action=action,
                role=role,
            )
        found = permitted[0]
        target = found.target or state
        if target is None:
            raise ValueError(f"row {found.row} of the {self.name} makes a thing and names no state for it")
        return Step(found.row, target)

    def actions(self, state: S, role: Role, *, level: int | None = None) -> tuple[str, ...]:
        """Return what a person of this role may do now, in table order."""
        found = dict.fromkeys(
            r.action
            for r in self.transitions
            if state in r.sources
            and role in r.roles
            and (r.level is None or level is None or r.level == level)
        )
        return tuple(found)
