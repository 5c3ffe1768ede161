from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import InvalidInput
from grids.rules.trace import GENESIS, Link, canonical, chain_hash, rendered, verify_chain

AT = datetime(2026, 3, 11, 1, 0, 0, 123456, tzinfo=UTC)
NUMBER = "2026031199010100001"


def seal(link: Link, previous: bytes | None) -> Link:
    content = {f.name: getattr(link, f.name) for f in fields(Link) if f.name not in {"previous_hash", "hash"}}
    return replace(link, previous_hash=previous, hash=chain_hash(previous, **content))


def a_chain(length: int = 6) -> list[Link]:
    chain: list[Link] = []
    previous: bytes | None = None
    for seq in range(1, length + 1):
        link = Link(
            incident_number=NUMBER,
            seq=seq,
            at=AT + timedelta(minutes=seq),
            actor=f"person {seq}",
            actor_id=100 + seq,
            unit="990101001001",
            machine="incident",
            subject=NUMBER,
            row=f"I{seq}",
            action="accept",
            from_state=None if seq == 1 else "reported",
            to_state="accepted",
            payload={"grade": "orange", "limits": {"handle": 24}, "step": seq},
            previous_hash=None,
            hash=b"",
        )
        chain.append(seal(link, previous))
        previous = chain[-1].hash
    return chain


# ---- writing a value in one way ----


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-7, "-7"),
        (2**53 - 1, "9007199254740991"),
        ("", '""'),
        ("网格", '"网格"'),  # as UTF-8, not escaped
        ('"\\/\b\f\n\r\t', '"\\"\\\\/\\b\\f\\n\\r\\t"'),
        ("\x01\x1f\x7f", '"\\u0001\\u001f\x7f"'),
        ("\u2028<", '"\u2028<"'),
        ([], "[]"),
        ({}, "{}"),
        ([1, [2, "a"], (3,)], '[1,[2,"a"],[3]]'),
        ({"b": 1, "a": {"d": None, "c": [True]}}, '{"a":{"c":[true],"d":null},"b":1}'),
        ({"10": 1, "9": 2, "A": 3, "a": 4, "": 5}, '{"":5,"10":1,"9":2,"A":3,"a":4}'),
        # RFC 8785 3.2.3: sorted by UTF-16 code units, so U+1F600 (D83D DE00) comes before U+FB33
        ({"\ufb33": 1, "\U0001f600": 2, "€": 3}, '{"€":3,"\U0001f600":2,"\ufb33":1}'),
    ],
)
def test_a_value_is_written_in_one_way(value: object, written: str) -> None:
    assert canonical(value) == written.encode()


def test_members_of_enumerations_are_written_as_their_values() -> None:
    class Colour(StrEnum):
        RED = "red"

    class Level(IntEnum):
        FIRST = 1

    assert canonical({Colour.RED: [Colour.RED, Level.FIRST]}) == b'{"red":["red",1]}'


@pytest.mark.parametrize(
    ("value", "place", "what"),
    [
        (1.0, "$", "a float"),
        ({"a": [1, {"b": 0.5}]}, "$.a[1].b", "a float"),
        (float("nan"), "$", "a float"),
        (2**53, "$", "a whole number beyond"),
        (-(2**53), "$", "a whole number beyond"),
        (AT, "$", "a datetime"),
        (AT.date(), "$", "a date"),
        (Decimal(1), "$", "a Decimal"),
        (b"x", "$", "a bytes"),
        ({1}, "$", "a set"),
        ({1: "a"}, "$", "a key that is not text (int)"),
        ({"a": {None: 1}}, "$.a", "a key that is not text (NoneType)"),
        ("\ud800", "$", "half a surrogate pair"),
        ({"\udfff": 1}, "$", "half a surrogate pair"),
        (["a\x00b"], "$[0]", "U+0000"),
        (object(), "$", "a object"),
    ],
)
def test_what_has_no_one_way_of_writing_is_refused_by_its_place(value: object, place: str, what: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        canonical(value)

    assert caught.value.code == "untraceable_value"
    assert caught.value.facts["field"] == place
    assert str(caught.value.facts["got"]).startswith(what)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_characters="\x00", codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_characters="\x00", codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON)
def test_what_was_written_reads_back_equal_and_writes_alike_again(value: object) -> None:
    written = canonical(value)

    assert json.loads(written) == value
    assert canonical(json.loads(written)) == written


@settings(deadline=None)
@given(
    st.dictionaries(st.text(st.characters(exclude_characters="\x00", codec="utf-8")), st.integers(0, 9)),
    st.randoms(),
)
def test_the_order_of_keys_does_not_matter(value: dict[str, int], chance: random.Random) -> None:
    items = list(value.items())
    chance.shuffle(items)

    assert canonical(dict(items)) == canonical(value)


def test_a_moment_is_written_in_utc_with_six_decimals() -> None:
    assert (
        rendered(datetime(2026, 3, 1, 16, 0, tzinfo=timezone(timedelta(hours=8))))
        == "2026-03-01T08:00:00.000000Z"
    )
    assert rendered(AT) == "2026-03-11T01:00:00.123456Z"


# ---- the chain ----


def test_a_hash_is_what_the_definition_says() -> None:
    """Computed here from its parts; a change of the format breaks every stored chain and this test."""
    content = (
        '{"action":"accept","actor":"person 1","actor_id":101,"at":"2026-03-11T01:01:00.123456Z","from_state":null,'
        f'"incident_number":"{NUMBER}","machine":"incident",'
        '"payload":{"grade":"orange","limits":{"handle":24},"step":1},'
        f'"row":"I1","seq":1,"subject":"{NUMBER}","to_state":"accepted","unit":"990101001001"}}'
    )

    wanted = hashlib.sha256(b"gridwhistle trace 1\n" + GENESIS + content.encode()).digest()

    assert a_chain(1)[0].hash == wanted
    assert len(wanted) == 32


def test_a_chain_as_written_holds() -> None:
    assert verify_chain(a_chain()) is None
    assert verify_chain([]) is None
    assert verify_chain(a_chain(1)) is None


TAMPERED: Mapping[str, object] = {
    "incident_number": "2026031199010100002",
    "seq": 9,
    "at": AT + timedelta(microseconds=1),
    "actor": "somebody else",
    "actor_id": 999,
    "unit": None,
    "machine": "whistle",
    "subject": "W-1",
    "row": "I9",
    "action": "reject",
    "from_state": "closed",
    "to_state": "closed",
    "payload": {"grade": "green"},
    "previous_hash": bytes(31) + b"x",
    "hash": bytes(31) + b"x",
}


def test_every_column_is_tampered_with_below() -> None:
    assert set(TAMPERED) == {f.name for f in fields(Link)}


@pytest.mark.parametrize("seq", [1, 3, 6])
@pytest.mark.parametrize("column", TAMPERED)
def test_a_changed_column_is_found_at_its_row(column: str, seq: int) -> None:
    chain = a_chain()
    chain[seq - 1] = replace(chain[seq - 1], **{column: TAMPERED[column]})  # type: ignore[arg-type]

    # the first row says which incident this is, so a change there shows at the hash all the same
    assert verify_chain(chain) == seq


@pytest.mark.parametrize(
    "payload",
    [
        {"grade": "orange", "limits": {"handle": 24}, "step": "3"},  # a number became text
        {"grade": "orange", "limits": {"handle": 24.0}, "step": 3},  # ... or a float
        {"grade": "orange", "limits": {"handle": 24}, "step": 3, "more": None},
        {"grade": "orange", "limits": {}, "step": 3},
        {"grade": "orange\x00", "limits": {"handle": 24}, "step": 3},
        {},
    ],
)
def test_the_smallest_change_of_a_payload_is_found(payload: dict[str, object]) -> None:
    chain = a_chain()
    chain[2] = replace(chain[2], payload=payload)

    assert verify_chain(chain) == 3


@pytest.mark.parametrize("seq", [1, 2, 5])
def test_a_deleted_row_is_found_at_its_number(seq: int) -> None:
    chain = a_chain()
    del chain[seq - 1]

    assert verify_chain(chain) == seq


def test_a_deleted_row_is_found_although_the_rest_was_renumbered() -> None:
    chain = a_chain()
    renumbered = [*chain[:2], *(replace(link, seq=link.seq - 1) for link in chain[3:])]

    assert verify_chain(renumbered) == 3


@pytest.mark.parametrize(("a", "b"), [(1, 2), (3, 4), (2, 6)])
def test_swapped_rows_are_found_at_the_first(a: int, b: int) -> None:
    chain = a_chain()
    chain[a - 1], chain[b - 1] = chain[b - 1], chain[a - 1]
    in_place = [replace(link, seq=seq) for seq, link in enumerate(chain, start=1)]

    assert verify_chain(chain) == a
    assert verify_chain(in_place) == a


def test_an_inserted_row_is_found() -> None:
    chain = a_chain()
    forged = seal(replace(chain[2], payload={"forged": True}), chain[1].hash)

    assert verify_chain([*chain[:2], forged, *chain[2:]]) == 4
    assert verify_chain([*chain[:2], forged, *(replace(k, seq=k.seq + 1) for k in chain[2:])]) == 4


def test_a_jump_in_the_numbers_is_found_although_every_hash_fits() -> None:
    first, second = a_chain(2)
    jumped = seal(replace(second, seq=3), first.hash)

    assert verify_chain([first, jumped]) == 2


def test_a_row_of_another_incident_is_found() -> None:
    chain = a_chain()
    stranger = seal(replace(chain[3], incident_number="2026031199010100002"), chain[2].hash)

    assert verify_chain([*chain[:3], stranger]) == 4


def test_a_row_without_offset_in_its_time_is_found() -> None:
    chain = a_chain()
    chain[1] = replace(chain[1], at=chain[1].at.replace(tzinfo=None))

    assert verify_chain(chain) == 2


def test_a_cut_tail_shows_only_against_a_head_kept_elsewhere() -> None:
    chain = a_chain()
    head = (6, chain[5].hash)

    assert verify_chain(chain[:4]) is None
    assert verify_chain(chain[:4], head) == 5
    assert verify_chain([], head) == 1
    assert verify_chain(chain, head) is None


def test_a_chain_written_anew_shows_only_against_a_head_kept_elsewhere() -> None:
    chain = a_chain()
    head = (6, chain[5].hash)
    forged: list[Link] = []
    for link in chain:
        forged.append(seal(replace(link, actor="nobody"), forged[-1].hash if forged else None))

    assert verify_chain(forged) is None
    assert verify_chain(forged, head) == 6


def test_rows_beyond_the_head_are_named() -> None:
    chain = a_chain()

    assert verify_chain(chain, (4, chain[3].hash)) == 5


@pytest.mark.parametrize(
    ("seq", "previous"), [(1, bytes(32)), (2, None), (0, None), (-1, bytes(32)), (2, bytes(31)), (2, b"")]
)
def test_a_row_that_fits_no_chain_cannot_be_hashed(seq: int, previous: bytes | None) -> None:
    with pytest.raises(InvalidInput) as caught:
        seal(replace(a_chain(1)[0], seq=seq), previous)

    assert caught.value.code == "broken_chain"


def test_text_cannot_slip_from_one_column_into_the_next() -> None:
    link = a_chain(1)[0]
    one = seal(replace(link, machine="incident", subject="1A"), None)
    other = seal(replace(link, machine="incident1", subject="A"), None)

    assert one.hash != other.hash


def test_the_offset_in_which_a_moment_is_written_does_not_matter() -> None:
    link = a_chain(1)[0]
    in_shanghai = replace(link, at=link.at.astimezone(timezone(timedelta(hours=8))))

    assert verify_chain([in_shanghai]) is None


def test_a_thousand_random_tamperings_are_all_found_at_their_row() -> None:
    chance = random.Random(8785)
    for _ in range(1000):
        chain = a_chain(chance.randint(2, 8))
        seq = chance.randint(1, len(chain))
        column = chance.choice([c for c in TAMPERED if c != "seq"])
        chain[seq - 1] = replace(chain[seq - 1], **{column: TAMPERED[column]})  # type: ignore[arg-type]

        assert verify_chain(chain) == seq, column
