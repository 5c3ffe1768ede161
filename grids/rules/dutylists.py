"""A version of a district's responsibility list: its items as people hand them in, and what two versions differ in.

An item (职责清单, 属地管理事项) says for one category in one area who leads (主体责任, 主办), who cooperates (配合责任,
协办), what the town does in it, by which law, and how it is handled. Where the duties of several departments meet it
is an item of the boundary list too (职责边界清单): its demarcation says who does which part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from grids.rules.dutysheet import LIST_COLUMNS, Fault, Known, read_duty
from grids.rules.responsibilities import RuleKind
from grids.rules.sheets import Row

__all__ = [
    "CELLS",
    "COLUMNS",
    "NEEDED",
    "Change",
    "Comparison",
    "Item",
    "ItemChange",
    "cells_of",
    "compare",
    "read_items",
]

_TEXTS = ("town_duty", "process", "legal_basis", "demarcation")

COLUMNS = ("item_no", *LIST_COLUMNS, *_TEXTS)
"""Columns that a list may have; `effective_from` is the list's own day, and no item ends before the list does."""

NEEDED = ("category", "area", "lead", "basis")

CELLS = ("item_no", "lead", "cooperating", "basis", "town_duty", "legal_basis", "process", "demarcation")
"""What an item says; its area and category are what it is for, and its source is that of its list."""

_LONGEST_NUMBER = 40
_LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Item:
    """One item. area, category : what it is for, no item of a list twice. basis : a code of `DutyBasis`."""

    area: str
    category: str
    lead: str
    cooperating: tuple[str, ...]
    basis: str
    source: str
    item_no: str | None = None
    town_duty: str | None = None
    process: str | None = None
    legal_basis: str | None = None
    demarcation: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells the same item in two versions of a list."""
        return self.area, self.category

    @property
    def shared(self) -> bool:
        """Whether it stands in the boundary list: several departments, and a text that parts their duties."""
        return self.demarcation is not None


class Change(NamedTuple):
    """One cell in which two versions of an item differ; lists are joined by semicolons, None is empty."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ItemChange:
    """An item that both versions have, and in what they differ."""

    before: Item
    after: Item
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a list changes against another one, by area and category. same : how many items are alike."""

    added: tuple[Item, ...]
    dropped: tuple[Item, ...]
    changed: tuple[ItemChange, ...]
    same: int


def read_items(
    rows: Iterable[Row], known: Known, *, district: str, effective_from: date, source: str
) -> tuple[list[Item], list[Fault]]:
    """Return the items of a table and every cell that cannot be used; nothing is guessed.

    known : what an item may name. source : where it is written, for rows that do not say.
    """
    items: dict[tuple[str, str], tuple[int, Item]] = {}
    faults: list[Fault] = []
    for row in rows:
        wrong = list(_of_the_list(row, district, effective_from))
        cells = row.cells | {
            "source": row.cells["source"] or source,
            "effective_from": effective_from.isoformat(),
            "effective_to": "",
        }
        read = read_duty(row.number, cells, known, places=False)
        if isinstance(read, list) or wrong:
            faults += [*wrong, *(read if isinstance(read, list) else ())]
            continue
        texts = {name: row.cells[name] or None for name in ("item_no", *_TEXTS)}
        item = Item(
            area=read.area,
            category=read.category or "",
            lead=read.lead or "",
            cooperating=read.cooperating,
            basis=read.basis,
            source=read.source,
            **texts,
        )
        twin = items.setdefault(item.key, (row.number, item))[0]
        if twin != row.number:
            faults.append(Fault(row.number, "category", f"row {twin} is for the same area and category"))
    return [item for _, item in items.values()], faults


def _of_the_list(row: Row, district: str, day: date) -> Iterable[Fault]:
    """Yield the faults of what a version of a list asks of its items beyond what every rule has to be."""
    cells = row.cells
    if cells["kind"] not in ("", RuleKind.LISTED.value):
        yield Fault(
            row.number, "kind", f"got '{cells['kind']}', wanted listed: decided rules stay by themselves"
        )
    if cells["area"] and not cells["area"].startswith(district):
        yield Fault(row.number, "area", f"got '{cells['area']}', wanted {district} or an area inside it")
    if cells["effective_from"][:10] not in ("", day.isoformat()):
        yield Fault(row.number, "effective_from", f"all items begin with the list, on {day}: leave it empty")
    if cells["effective_to"]:
        yield Fault(row.number, "effective_to", "an item holds until another list comes: leave it empty")
    if len(cells["item_no"]) > _LONGEST_NUMBER:
        yield Fault(row.number, "item_no", f"at most {_LONGEST_NUMBER} characters")
    for name in _TEXTS:
        if len(cells[name]) > _LONGEST_TEXT:
            yield Fault(row.number, name, f"at most {_LONGEST_TEXT} characters")
    if cells["demarcation"] and not cells["cooperating"]:
        yield Fault(row.number, "demarcation", "duties meet where a second department cooperates: name it")


def compare(before: Sequence[Item], after: Sequence[Item]) -> Comparison:
    """Return what the items of `after` change against those of `before`, in order of area and category."""
    old, new = {item.key: item for item in before}, {item.key: item for item in after}
    both = sorted(old.keys() & new.keys())
    changed = tuple(
        ItemChange(old[key], new[key], changes) for key in both if (changes := _changes(old[key], new[key]))
    )
    return Comparison(
        added=tuple(new[key] for key in sorted(new.keys() - old.keys())),
        dropped=tuple(old[key] for key in sorted(old.keys() - new.keys())),
        changed=changed,
        same=len(both) - len(changed),
    )


def _changes(before: Item, after: Item) -> tuple[Change, ...]:
    return tuple(
        Change(name, _told(getattr(before, name)), _told(getattr(after, name)))
        for name in CELLS
        if getattr(before, name) != getattr(after, name)
    )


def _told(value: Any) -> str | None:
    if isinstance(value, tuple):
        return ";".join(value) or None
    return None if value is None else str(value)


def cells_of(item: Item) -> Mapping[str, str]:
    """Return an item as the cells of a table that `read_items` takes again."""
    own = {
        name: _told(getattr(item, name)) or ""
        for name in ("item_no", "area", "category", "lead", "cooperating")
    }
    rest = {name: _told(getattr(item, name)) or "" for name in ("basis", "source", *_TEXTS)}
    return {"kind": RuleKind.LISTED.value, **own, **rest, "effective_from": "", "effective_to": ""}
