from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import InvalidInput
from grids.rules.phones import check_phone, mask_phone


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("13812345678", "13812345678"),
        ("19912345678", "19912345678"),
        (" 138 1234 5678 ", "13812345678"),
        ("138-1234-5678", "13812345678"),
        ("+86 13812345678", "13812345678"),
        ("+86-138-1234-5678", "13812345678"),
        ("008613812345678", "13812345678"),
        ("１３８１２３４５６７８", "13812345678"),  # full-width digits, as Chinese keyboards write them
        ("0531-81234567", "0531-81234567"),
        ("053181234567", "0531-81234567"),
        ("(0531) 8123 4567", "0531-81234567"),
        ("（0531）81234567", "0531-81234567"),
        ("0531－81234567", "0531-81234567"),
        ("+86 531 8123 4567", "0531-81234567"),
        ("+86 10 6512 3456", "010-65123456"),
        ("010-65123456", "010-65123456"),
        ("02165123456", "021-65123456"),
        ("0797-8123456", "0797-8123456"),  # seven digits in a smaller city
        ("0531-81234567-", "0531-81234567"),
        ("0531-81234567-801", "0531-81234567-801"),
        ("0531-81234567转801", "0531-81234567-801"),
        ("0531-81234567 ext. 801", "0531-81234567-801"),
        ("053181234567 分机 12", "0531-81234567-12"),
    ],
)
def test_a_number_comes_out_in_one_spelling(text: str, phone: str) -> None:
    assert check_phone(text) == phone
    assert check_phone(phone) == phone


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "abc",
        "110",
        "119",
        "120",
        "12345",
        "12319",
        "95588",
        "10086",
        "400-810-8888",
        "4008108888",
        "8008100000",
        "12812345678",
        "10812345678",
        "1381234567",
        "138123456789",
        "81234567",
        "0531-01234567",
        "0531-11234567",
        "0531-812345",
        "010-6512345",
        "0131-81234567",
        "+1 212 555 0100",
        "13812345678转801",
        "13812345678;ls",
        "138１234567x",
        "١٣٨١٢٣٤٥٦٧٨",
        "13812345678\n13912345678",
        "86" * 40,
        "+8613812345678901",
    ],
)
def test_what_is_no_persons_number_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_phone(text)

    assert caught.value.code == "bad_phone"
    assert caught.value.facts == {"field": "phone"}
    digits = "".join(character for character in text if character.isdigit())
    assert len(digits) < 7 or digits not in str(caught.value).replace("-", "")


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("13812345678", "138****5678"),
        ("0531-81234567", "0531-****4567"),
        ("010-65123456", "010-****3456"),
        ("0797-8123456", "0797-****3456"),
        ("0531-81234567-801", "0531-****4567-***"),
        ("12345", "****"),
        ("", "****"),
        ("138123456789", "****"),
        ("not a number", "****"),
    ],
)
def test_a_masked_number_hides_its_middle(phone: str, masked: str) -> None:
    assert mask_phone(phone) == masked


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_either_a_number_or_refused(text: str) -> None:
    try:
        phone = check_phone(text)
    except InvalidInput as error:
        assert error.code == "bad_phone"  # noqa: PT017 - both ends of the promise are checked
    else:
        assert phone.replace("-", "").isdigit()
        assert mask_phone(phone) != "****"


@settings(deadline=None)
@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_every_mobile_number_is_taken_as_it_is(phone: str) -> None:
    assert check_phone(phone) == phone
    assert phone[3:7] not in mask_phone(phone) or phone[3:7] == phone[-4:]
