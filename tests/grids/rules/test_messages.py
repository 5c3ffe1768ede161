"""Addresses that can be used, addresses that are shown, and when a try is repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from gis.errors import InvalidInput
from grids.rules.messages import Way, check_address, delivery_key, mask_address, next_try

NOW = datetime(2026, 6, 3, 1, 0, tzinfo=UTC)
ROBOT = "https://oapi.dingtalk.com/robot/send?access_token=0123456789abcdef"


@pytest.mark.parametrize(
    ("way", "given", "kept"),
    [
        (Way.EMAIL, " zhang.san@cg.example.org ", "zhang.san@cg.example.org"),
        (Way.SMS, "138 1234 5678", "13812345678"),
        (Way.DINGTALK, ROBOT + "#SEC0123", ROBOT + "#SEC0123"),
        (Way.WEBHOOK, "http://10.0.0.8:8080/hook", "http://10.0.0.8:8080/hook"),
    ],
)
def test_an_address_is_kept_as_it_can_be_used(way: Way, given: str, kept: str) -> None:
    assert check_address(way, given) == kept


@pytest.mark.parametrize(
    ("way", "given"),
    [
        (Way.EMAIL, "zhang san@example.org"),
        (Way.EMAIL, "a@b"),
        (Way.EMAIL, "a@example.org\nBcc: all@example.org"),
        (Way.EMAIL, "a..b@example.org"),
        (Way.EMAIL, "a@example.org,b@example.org"),
        (Way.SMS, "0531-81234567"),
        (Way.SMS, "12345"),
        (Way.WECOM, "ftp://qyapi.weixin.qq.com/x"),
        (Way.WECOM, "https://user:word@qyapi.weixin.qq.com/x"),
        (Way.WEBHOOK, "https:///path"),
        (Way.WEBHOOK, "https://host:port/x"),
        (Way.WEBHOOK, "https://host/\r\nX: y"),
        (Way.WEBHOOK, "https://host/" + "x" * 500),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(way: Way, given: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_address(way, given)

    assert refused.value.facts["field"] == "address"
    assert given.strip() not in str(refused.value)


@pytest.mark.parametrize(
    ("way", "address", "shown"),
    [
        (Way.EMAIL, "zhang.san@cg.example.org", "z***@cg.example.org"),
        (Way.SMS, "13812345678", "138****5678"),
        (Way.DINGTALK, ROBOT, "https://oapi.dingtalk.com/…cdef"),
        (Way.WEBHOOK, "https://a.example/k", "https://a.example/…"),
    ],
)
def test_others_read_an_address_masked(way: Way, address: str, shown: str) -> None:
    assert mask_address(way, address) == shown


def test_tries_are_farther_apart_each_time_and_never_quite_together() -> None:
    luck = Random(7)
    waits = [
        [(next_try(tries, NOW, luck) - NOW) / timedelta(minutes=1) for _ in range(50)]
        for tries in range(1, 9)
    ]

    for wanted, drawn in zip([1, 2, 4, 8, 16, 32, 64, 120], waits, strict=True):
        assert min(drawn) >= wanted
        assert max(drawn) <= wanted * 1.25
        assert len(set(drawn)) > 40


def test_a_key_is_a_uuid_of_version_7_that_sorts_by_time() -> None:
    keys = [delivery_key(NOW + timedelta(milliseconds=n), bytes([n * 20 % 256] * 10)) for n in range(30)]

    assert {key.version for key in keys} == {7}
    assert {key.variant for key in keys} == {"specified in RFC 4122"}
    assert sorted(keys) == keys
    assert keys[0].int >> 80 == int(NOW.timestamp() * 1000)
