"""A text written once and filled many times is the text that would have been written each time."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grids.rules.stencils import Stencil, as_json, mark
from grids.rules.trace import canonical

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@given(TEXTS, TEXTS | st.none() | st.integers(-(2**53) + 1, 2**53 - 1), TEXTS)
def test_a_filled_stencil_is_the_canonical_text(first: str, second: str | int | None, fixed: str) -> None:
    def value(one: object, two: object) -> object:
        return {"z": [one, {"100%": two}], "a": fixed, "%s": one}

    stencil = Stencil(value(mark("one"), mark("two")))

    filled, swapped = stencil.filled(
        {"one": [as_json(first), "null"], "two": [as_json(second), as_json(first)], "other": ["1"]}
    )

    assert filled.encode() == canonical(value(first, second))
    assert json.loads(filled) == value(first, second)
    assert swapped.encode() == canonical(value(None, first))


def test_a_place_that_nobody_fills_is_an_error() -> None:
    with pytest.raises(KeyError):
        Stencil([mark("one")]).filled({})


@pytest.mark.parametrize("value", [["nothing open"], [mark("one"), mark("two")]])
def test_how_many_rows_there_are_is_never_guessed(value: list[str]) -> None:
    with pytest.raises(ValueError):
        Stencil(value).filled({"one": ["1"], "two": ["1", "2"]})
