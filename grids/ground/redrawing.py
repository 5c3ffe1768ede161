"""The operations of `grids.ground.redraw` on a sheet of areas, one function each.

Each takes the `Drawing` and the arguments that `Operation` describes and has checked for their form, draws, and
returns the code of the area whose sizes somebody has stated, if any. Errors: see `grids.ground.redraw.apply`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from shapely.geometry import MultiPolygon

from gis.edges import edges_of, joined, shared_runs, stitched, taken_from
from gis.errors import InvalidGeometry, InvalidInput
from gis.geometry import from_geojson
from gis.redraw import check_piece, cut, edge_moved, meant_run, read_line, size_m2
from grids.ground.drawing import Area, Drawing, NoteKind
from grids.rules.codes import number_children
from grids.rules.levels import GridLevel, child_level, parent_level

__all__ = ["merge", "move_edge", "reassign", "rename", "replace_children", "set_size", "split"]

_STRADDLES = 0.9  # of a child; with less on its larger side it lies on both

Arguments = Mapping[str, Any]


def split(board: Drawing, given: Arguments) -> str | None:
    """Cut an area along a line; the largest piece keeps the code."""
    area = board.get(given["code"], field="code")
    _below_district(area, "code")
    made = cut(area.shape, read_line(given["line"]))
    children = board.children(area.code)
    if children:
        pieces, sides = _sides(area, children, made.pieces)
    else:
        pieces, sides = made.pieces, ((),) * len(made.pieces)
    for name in ("names", "households", "population"):
        if name in given and len(given[name]) != len(pieces):
            raise InvalidInput(
                "unusable_operation",
                f"split: {name} has {len(given[name])} entries, but the line makes {len(pieces)} pieces",
                field=name,
                got=len(given[name]),
                wanted=len(pieces),
            )
    codes = [area.code]
    codes += [board.new_code(str(area.parent_code), area.level, like=area.code) for _ in pieces[1:]]
    names = given.get("names") or [area.name, *(f"{area.name}-{n + 2}" for n in range(len(pieces) - 1))]
    sizes = _piece_sizes(board, area, codes, pieces, sides, given)
    for row, (code, shape) in enumerate(zip(codes, pieces, strict=True)):
        households, population = sizes[row]
        kept = area if row == 0 else replace(area, source_code=None, size_reason=None)
        piece = replace(
            kept, code=code, name=names[row], shape=shape, households=households, population=population
        )
        board.put(piece)
    board.insert(made.nodes if not children else shapely.get_coordinates(list(pieces)))
    for row, side in enumerate(sides):
        for child in side if row else ():
            board.adopt(child, codes[row])
    return None


def merge(board: Drawing, given: Arguments) -> str | None:
    """Make one area of neighbours in one parent."""
    codes = sorted(set(given["codes"]))
    areas = [board.get(code, field="codes") for code in codes]
    into = given.get("into") or codes[0]
    if len(codes) < 2 or into not in codes:
        raise InvalidInput(
            "unusable_operation",
            "merge: name two or more areas, and as into one of them",
            field="into",
            got=into,
            wanted=codes,
        )
    for area in areas:
        _below_district(area, "codes")
    parents = sorted({str(area.parent_code) for area in areas})
    if len(parents) > 1:
        raise InvalidInput(
            "different_parents",
            f"{', '.join(codes)} lie in different areas ({', '.join(parents)}): reassign them to one first",
            field="codes",
            got=parents,
        )
    divided = [area.code for area in areas if board.children(area.code)]
    if divided and len(divided) < len(areas):
        raise _divided("codes", divided, "the others are not: divide them too, or merge those")
    shapes = stitched([area.shape for area in areas])
    _check_connected(codes, shapes)
    kept = board.get(into, field="into")
    whole = replace(
        kept,
        name=given.get("name") or kept.name,
        shape=joined(shapes),
        households=_summed(board, into, "households", [area.households for area in areas], given),
        population=_summed(board, into, "population", [area.population for area in areas], given),
    )
    for code in codes:
        if code != into:
            for child in board.children(code):
                board.adopt(child.code, into)
            board.drop(code)
    board.put(whole)
    return into if {"households", "population"} & set(given) else None


def move_edge(board: Drawing, given: Arguments) -> str | None:
    """Put a line in the place of the edge of two neighbours, at every level at which it is a border."""
    one, other = (board.get(code, field="codes") for code in given["codes"])
    if one.code == other.code or one.level is not other.level:
        raise _wrong_level("codes", f"{one.code} and {other.code} are not two areas of one level")
    divided = [area.code for area in (one, other) if board.children(area.code)]
    if divided:
        raise _divided("codes", divided, "move the edges of the areas in it, or reassign them")
    pairs = [(one, other), *_different(board, one, other)]
    shapes = stitched([area.shape for pair in pairs for area in pair])
    run = meant_run(shapes[0], shapes[1], read_line(given["line"]))
    moved = [edge_moved(left, right, run) for left, right in zip(shapes[::2], shapes[1::2], strict=True)]
    for part in shapely.get_parts(list(moved[0])):
        check_piece(part, field="line")
    for pair, drawn in zip(pairs, moved, strict=True):
        for area, shape in zip(pair, drawn, strict=True):
            board.put(replace(area, shape=shape))
    board.insert(shapely.get_coordinates(run.line)[[0, -1]])
    for size in ("households", "population"):
        _pass_on(board, (one, other), moved[0], size, given)
    return None


def reassign(board: Drawing, given: Arguments) -> str | None:
    """Give an area, with all below it, to another parent of the same level that it touches."""
    area = board.get(given["code"], field="code")
    _below_district(area, "code")
    target = board.get(given["to_parent"], field="to_parent")
    source = board.get(str(area.parent_code), field="code")
    if target.level is not parent_level(area.level):
        raise _wrong_level(
            "to_parent", f"{area.code} ({area.level}) cannot lie in {target.code} ({target.level})"
        )
    if target.code == source.code:
        raise InvalidInput(
            "same_parent", f"{area.code} lies in {target.code} already", field="to_parent", got=target.code
        )
    if len(board.children(source.code)) == 1:
        raise InvalidInput(
            "parent_left_empty",
            f"{area.code} is all that {source.code} has: merge {source.code} with its neighbour instead",
            field="code",
            got=area.code,
        )
    pairs = [(source, target), *_different(board, source, target)]
    shapes = stitched([area.shape, *(above.shape for pair in pairs for above in pair)])
    moved = shapes[0]
    if not shared_runs(moved, shapes[2]):
        raise InvalidInput(
            "not_neighbours",
            f"{area.code} does not touch {target.code} along an edge; an area lies in one piece",
            field="to_parent",
            got=target.code,
        )
    for (giver, taker), giving, taking in zip(pairs, shapes[1::2], shapes[2::2], strict=True):
        board.put(replace(giver, shape=taken_from(giving, moved)))
        board.put(replace(taker, shape=joined([taking, moved])))
    if moved is not area.shape:
        board.put(replace(area, shape=moved))
    board.move(area.code, target.code, board.new_code(target.code, area.level, like=area.code))
    return None


def replace_children(board: Drawing, given: Arguments) -> str | None:
    """Divide an area anew: other cells take the place of those that it has."""
    parent = board.get(given["code"], field="code")
    level = child_level(parent.level)
    if level is None:
        raise _wrong_level("code", f"{parent.code} is of the lowest level and has nothing below it")
    old = board.children(parent.code)
    divided = [child.code for child in old if board.children(child.code)]
    if divided:
        raise _divided("code", divided, "divide those anew instead")
    drawn = [
        from_geojson(cell["geometry"], field=f"cells.{row}.geometry")
        for row, cell in enumerate(given["cells"])
    ]
    outline, *shapes = stitched([parent.shape, *drawn])
    _check_filled(outline, shapes, field="cells", name=f"{parent.code} {parent.name}")
    for child in old:
        board.drop(child.code)
    board.put(replace(parent, shape=outline))
    board.insert(shapely.get_coordinates(shapes))
    middles = [(point.x, point.y) for point in map(shapely.centroid, shapes)]
    order = np.argsort(np.array(number_children(parent.code, level, middles)), kind="stable").tolist()
    shares = [size_m2(shape) for shape in shapes]
    sizes = {
        size: _cell_sizes(getattr(parent, size), [cell.get(size) for cell in given["cells"]], shares)
        for size in ("households", "population")
    }
    for row in order:
        cell = given["cells"][row]
        code = board.new_code(parent.code, level, like=f"{parent.code}001")
        board.put(
            Area(
                code=code,
                level=level,
                name=cell.get("name") or code,
                parent_code=parent.code,
                shape=shapes[row],
                households=sizes["households"][row],
                population=sizes["population"][row],
                size_reason=cell.get("size_reason"),
            )
        )
        for size in ("households", "population"):
            _note_size(board, code, size, cell.get(size), sizes[size][row])
    return parent.code


def rename(board: Drawing, given: Arguments) -> str | None:
    """Give an area another name."""
    area = board.get(given["code"], field="code")
    board.put(replace(area, name=given["name"].strip()))
    return None


def set_size(board: Drawing, given: Arguments) -> str | None:
    """State households, population or the reason for an unusual size."""
    area = board.get(given["code"], field="code")
    board.put(replace(area, **{name: value for name, value in given.items() if name != "code"}))
    return area.code


def _sides(
    area: Area, children: Sequence[Area], pieces: Sequence[MultiPolygon]
) -> tuple[tuple[MultiPolygon, ...], tuple[tuple[str, ...], ...]]:
    """Return the pieces made of whole children, the largest first, and the codes of the children in each."""
    shapes = np.array([child.shape for child in children], dtype=object)
    share = np.column_stack([shapely.area(shapely.intersection(shapes, piece)) for piece in pieces])
    share /= shapely.area(shapes)[:, None]
    astride = [
        child.code for child, most in zip(children, share.max(axis=1), strict=True) if most < _STRADDLES
    ]
    if astride:
        raise InvalidGeometry(
            "children_straddle",
            f"the line runs through {', '.join(astride[:5])}"
            f"{f' and {len(astride) - 5} more' if len(astride) > 5 else ''}: draw it along their borders, or "
            "split them first",
            field="line",
            got=astride,
        )
    side = share.argmax(axis=1)
    found = sorted({int(number) for number in side})
    if len(found) < 2:
        raise InvalidGeometry(
            "line_does_not_cut",
            f"line does not cut {area.code}: all areas in it lie on one side; it cannot cut one off",
            field="line",
        )
    drawn = stitched([area.shape, *shapes])
    _check_filled(drawn[0], drawn[1:], field="line", name=f"{area.code} {area.name}")
    made = [
        (joined([drawn[row + 1] for row in rows]), tuple(children[row].code for row in rows))
        for number in found
        if len(rows := np.flatnonzero(side == number).tolist())
    ]
    made.sort(key=lambda piece: -size_m2(piece[0]))
    return tuple(piece for piece, _ in made), tuple(codes for _, codes in made)


def _check_filled(outline: MultiPolygon, parts: Sequence[MultiPolygon], *, field: str, name: str) -> None:
    """Raise unless the parts fill the outline edge on edge."""
    try:
        if edges_of(joined(parts)) == edges_of(outline):
            return
    except InvalidGeometry:
        pass  # they lie over each other: the sizes below say by how much
    missing = size_m2(shapely.difference(outline, shapely.union_all(parts)))
    over = sum(map(size_m2, parts)) + missing - size_m2(outline)
    raise InvalidGeometry(
        "cells_do_not_fill",
        f"the areas do not fill {name} edge on edge: {missing:,.1f} m2 lie in none, about {max(over, 0):,.1f} m2 "
        "in several or outside",
        field=field,
        got=[round(missing, 1), round(max(over, 0), 1)],
    )


def _check_connected(codes: Sequence[str], shapes: Sequence[MultiPolygon]) -> None:
    """Raise unless one can walk from each area to each over edges that two of them share."""
    edges = [edges_of(shape) for shape in shapes]
    reached, waiting = {0}, [0]
    while waiting:
        back = {(end, start) for start, end in edges[waiting.pop()]}
        near = {row for row in range(len(edges)) if row not in reached and not back.isdisjoint(edges[row])}
        reached |= near
        waiting += near
    apart = [code for row, code in enumerate(codes) if row not in reached]
    if apart:
        raise InvalidInput(
            "not_neighbours",
            f"{', '.join(apart)} does not touch {codes[0]} or what is merged with it along an edge",
            field="codes",
            got=apart,
        )


def _different(board: Drawing, one: Area, other: Area) -> list[tuple[Area, Area]]:
    """Return the areas above two areas, level by level, as far as they are different ones."""
    pairs = zip(board.above(one.code), board.above(other.code), strict=True)
    return [(left, right) for left, right in pairs if left.code != right.code]


def _piece_sizes(
    board: Drawing,
    area: Area,
    codes: Sequence[str],
    pieces: Sequence[MultiPolygon],
    sides: Sequence[Sequence[str]],
    given: Arguments,
) -> list[tuple[int | None, int | None]]:
    """Return households and people of the pieces: as told, else of the children in them, else by ground."""
    shares = [size_m2(piece) for piece in pieces]
    found: list[list[int | None]] = []
    for size in ("households", "population"):
        total: int | None = getattr(area, size)
        told = given.get(size)
        own = [[getattr(board.areas[code], size) for code in side] for side in sides]
        below = [sum(values) if values and None not in values else None for values in own]
        if told is not None:
            sizes = list(told)
        elif None not in below and sum(n or 0 for n in below) == total:
            sizes = below
        else:
            sizes = _shared_out(total, shares)
            for code, number in zip(codes, sizes, strict=True):
                _note_size(board, code, size, None, number)
        found.append(sizes)
    return list(zip(*found, strict=True))


def _cell_sizes(total: int | None, told: Sequence[int | None], shares: Sequence[float]) -> list[int | None]:
    """Return sizes as told; what is left of the total is shared out over the others by ground."""
    open_ = [row for row, value in enumerate(told) if value is None]
    rest = None if total is None else max(total - sum(value or 0 for value in told), 0)
    sizes = list(told)
    for row, value in zip(open_, _shared_out(rest, [shares[row] for row in open_]), strict=True):
        sizes[row] = value
    return sizes


def _shared_out(total: int | None, weights: Sequence[float]) -> list[int | None]:
    """Return whole numbers that add up to the total, by weight; None each where it is unknown."""
    if total is None:
        return [None] * len(weights)
    found: list[int | None] = []
    given, weight = 0, 0.0
    for part in weights:
        weight += part
        till = round(total * weight / sum(weights))
        found.append(till - given)
        given = till
    return found


def _summed(
    board: Drawing, code: str, size: str, values: Iterable[int | None], given: Arguments
) -> int | None:
    if size in given:
        told: int | None = given[size]
        return told
    numbers = list(values)
    known = [value for value in numbers if value is not None]
    if len(known) == len(numbers):
        return sum(known)
    if known:
        board.note(
            NoteKind.UNKNOWN_SIZE, code, f"{size} of {code}: not known of all that was merged, so left open"
        )
    return None


def _pass_on(
    board: Drawing,
    pair: tuple[Area, Area],
    drawn: tuple[MultiPolygon, MultiPolygon],
    size: str,
    given: Arguments,
) -> None:
    """Let households or people go with the ground that two neighbours gave each other."""
    before: list[int | None] = [getattr(area, size) for area in pair]
    after = before
    if size in given:
        after = list(given[size])
        if len(after) != 2:
            raise InvalidInput(
                "unusable_operation", f"move_edge: {size} needs two entries", field=size, got=after
            )
    elif None not in before:
        gone = [
            round((number or 0) * shapely.intersection(area.shape, new).area / area.shape.area)
            for number, area, new in zip(before, pair, drawn[::-1], strict=True)
        ]
        after = [(before[0] or 0) - gone[0] + gone[1], (before[1] or 0) - gone[1] + gone[0]]
    for area, was, number in zip(pair, before, after, strict=True):
        change: dict[str, Any] = {size: number}
        board.put(replace(board.areas[area.code], **change))
        if size in given:
            continue
        if number is None or None in before:
            words = f"{size} of {area.code}: not known of both areas, so left as it was"
            board.note(NoteKind.UNKNOWN_SIZE, area.code, words)
        elif number != was:
            _note_size(board, area.code, size, None, number)


def _note_size(board: Drawing, code: str, size: str, told: int | None, number: int | None) -> None:
    if told is None and number is not None:
        board.note(NoteKind.ESTIMATED, code, f"{size} of {code}: {number}, estimated by ground")


def _below_district(area: Area, field: str) -> None:
    if area.level is GridLevel.DISTRICT:
        raise _wrong_level(field, f"{area.code} is a district: districts are loaded from files, not redrawn")


def _wrong_level(field: str, words: str) -> InvalidInput:
    return InvalidInput("wrong_level", words, field=field)


def _divided(field: str, codes: Sequence[str], words: str) -> InvalidInput:
    return InvalidInput(
        "area_divided", f"{', '.join(codes)} is divided further: {words}", field=field, got=list(codes)
    )
