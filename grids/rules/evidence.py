"""What shows that the departments' work is done: the list of a category, and what of it is on record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

__all__ = ["kept", "missing_evidence", "named_evidence", "reasons_without"]


def missing_evidence(
    asked: Sequence[str], shown: Collection[str], without: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what a category asks for and nobody has shown or explained, in the category's order.

    shown : names on record, of every department under the whistle: the list is that of the case, and a photograph
    that one of them took is there. without : names with the reason why there is none; an empty one explains
    nothing.
    """
    explained = {name for name, reason in without.items() if reason.strip()}
    return tuple(name for name in asked if name not in shown and name not in explained)


def kept(shown: Iterable[str], without: Mapping[str, str]) -> list[Any]:
    """Return evidence as a part keeps it: names, then {"without", "reason"} for each that is explained away."""
    reasons = [
        {"without": name, "reason": reason.strip()} for name, reason in without.items() if reason.strip()
    ]
    return [*dict.fromkeys(shown), *reasons]


def named_evidence(evidence: Iterable[Any] | None) -> list[str]:
    """Return the names of what is on record of a part."""
    return [entry for entry in evidence or () if isinstance(entry, str)]


def reasons_without(evidence: Iterable[Any] | None) -> dict[str, str]:
    """Return by name why there is none of what a part does not show."""
    return {
        str(entry["without"]): str(entry["reason"]) for entry in evidence or () if isinstance(entry, Mapping)
    }
