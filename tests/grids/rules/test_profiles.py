from __future__ import annotations

import json
import tomllib
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gis.errors import InvalidInput, NotFound
from grids.rules.deadlines import RULES, DeadlineKind
from grids.rules.grading import Grade
from grids.rules.limits import Limit, Unit
from grids.rules.profiles import (
    DEFAULT,
    FIELDS,
    SHIPPED,
    compare,
    from_snapshot,
    parse_profile,
    read_profile,
    shipped_profile,
    shipped_text,
)

HEAD = {"code": "ours", "name": "本区方案", "name_en": "Ours", "source": "a paper"}


def test_what_a_profile_leaves_out_is_the_default() -> None:
    ours = parse_profile({**HEAD, "return_window": "2 work_day"})

    assert compare(DEFAULT, ours) == [("return_window", "1 work_day", "2 work_day")]
    assert ours.return_window == Limit(2, Unit.WORK_DAY)
    assert (ours.code, ours.version) == ("ours", 0)


def test_the_shipped_default_writes_out_what_holds_without_a_profile() -> None:
    assert shipped_profile("default").rules() == DEFAULT.rules()
    for kind, rule in RULES.items():
        if rule.limit is not None:
            assert DEFAULT.limit(kind, Grade.GREEN) == rule.limit
            assert DEFAULT.limit(kind, Grade.RED) == (rule.urgent or rule.limit)


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [
        ("shandong", "return_window", "2 work_day"),
        ("shandong", "extension_times", "1"),
        ("shandong", "extension_amount", "10 work_day"),
        ("shandong", "ceilings.green", "5 work_day"),
        ("lueliang", "return_window", "1 work_day"),
        ("lueliang", "extension_times", "3"),
        ("lueliang", "extension_amount", "3 work_day"),
        ("lueliang", "emergency_response_minutes", "30"),
        ("lueliang", "clocks.accept", "3.75 work_hour"),
        ("nanjing", "response_minutes", "60"),
        ("nanjing", "appoint_within", "5 work_day"),
    ],
)
def test_a_shipped_profile_says_what_its_paper_says(code: str, name: str, value: str) -> None:
    profile = shipped_profile(code)

    assert profile.values()[name] == value
    assert profile.source


def test_no_shipped_profile_lets_red_wait() -> None:
    assert all(shipped_profile(code).ceilings[Grade.RED] == Limit(24, Unit.NATURAL_HOUR) for code in SHIPPED)


def test_a_clock_has_another_limit_for_red_and_orange_where_the_profile_says_so() -> None:
    ours = parse_profile(
        {**HEAD, "clocks": {"liaison": {"ordinary": "2 work_hour", "urgent": "0.5 urgent_hour"}}}
    )

    assert ours.limit(DeadlineKind.LIAISON, Grade.ORANGE) == Limit("0.5", Unit.URGENT_HOUR)
    assert ours.limit(DeadlineKind.LIAISON, Grade.YELLOW) == Limit(2, Unit.WORK_HOUR)
    assert ours.limit(DeadlineKind.LIAISON, None) == Limit(2, Unit.WORK_HOUR)


def test_a_clock_that_a_category_or_an_act_sets_has_no_limit_of_its_own() -> None:
    with pytest.raises(KeyError):
        DEFAULT.limit(DeadlineKind.HANDLE, Grade.RED)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"return_windw": "1 work_day"}, "return_windw"),
        ({"return_window": "1 work_week"}, "return_window"),
        ({"return_window": "0 work_day"}, "return_window"),
        ({"return_window": "0.5 work_day"}, "return_window"),
        ({"return_window": 1}, "return_window"),
        ({"most_hops": "2"}, "most_hops"),
        ({"most_hops": True}, "most_hops"),
        ({"extension_times": -1}, "extension_times"),
        ({"check_in_grace": 100_000}, "check_in_grace"),
        ({"callback_days": 4}, "callback_days"),
        ({"progress_share": 1}, "progress_share"),
        ({"progress_share": "half"}, "progress_share"),
        ({"clocks": {"handle": "1 work_day"}}, "clocks.handle"),
        ({"clocks": {"accept": "soon"}}, "clocks.accept"),
        ({"clocks": {"accept": {"urgent": "1 urgent_hour"}}}, "clocks.accept"),
        ({"clocks": {"accept": {"ordinary": "1 work_hour", "red": "1 urgent_hour"}}}, "clocks.accept"),
        ({"clocks": "1 work_day"}, "clocks"),
        ({"ceilings": {"purple": "1 work_day"}}, "ceilings.purple"),
        ({"ceilings": {"red": "1 work_day"}}, "ceilings.red"),
        ({"code": "Ours!"}, "code"),
        ({"source": " "}, "source"),
        ({"name": None}, "name"),
    ],
)
def test_a_profile_that_cannot_be_used_names_the_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_profile({**HEAD, **wrong})

    assert (refused.value.code, refused.value.facts["field"]) == ("bad_profile", field)


def test_a_file_is_toml_or_json_as_its_name_says() -> None:
    as_json = json.dumps({**HEAD, "most_hops": 1}).encode()

    assert read_profile(as_json, "ours.JSON").most_hops == 1
    for content, name in ((as_json, "ours.toml"), (b"\xff\xfe", "ours.json"), (b"[1]", "ours.json")):
        with pytest.raises(InvalidInput) as refused:
            read_profile(content, name)
        assert refused.value.facts["field"] == "file"


def test_a_case_reads_back_the_profile_that_it_keeps() -> None:
    ours = parse_profile(
        {**HEAD, "check_in_grace": 20, "progress_share": "0.6", "appoint_within": "3 work_day"}, version=4
    )

    kept = from_snapshot(json.loads(json.dumps(ours.snapshot())))

    assert kept.rules() == ours.rules()
    assert (kept.code, kept.version) == ("ours", 4)
    assert (kept.check_in_grace, kept.progress_share) == (timedelta(minutes=20), Decimal("0.6"))


def test_a_limit_that_a_newer_release_added_does_not_stop_an_older_one() -> None:
    kept = DEFAULT.snapshot()

    clocks = {**kept["rules"]["clocks"], "patience": "3 work_day"}
    newer = {**kept, "rules": {**kept["rules"], "patience": "3 work_day", "clocks": clocks}}

    assert from_snapshot(newer).rules() == DEFAULT.rules()


def test_every_limit_stands_in_the_file_of_a_profile() -> None:
    written = tomllib.loads(shipped_text("default"))

    assert set(FIELDS) - set(written) == {"appoint_within"}  # which is none where nothing is said
    assert set(written["clocks"]) == set(DEFAULT.clocks)
    assert set(written["ceilings"]) == set(Grade)


def test_a_trace_can_tell_one_set_of_limits_from_another() -> None:
    other = parse_profile({**HEAD, "code": "default", "most_hops": 1})

    assert DEFAULT.seal()["sha256"] != other.seal()["sha256"]
    assert DEFAULT.seal() == from_snapshot(DEFAULT.snapshot()).seal()


def test_a_profile_that_is_not_shipped_is_not_found() -> None:
    with pytest.raises(NotFound):
        shipped_profile("../../secrets")
