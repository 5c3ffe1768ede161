"""A profile says all that is needed to read another system's table, or what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gis.errors import InvalidInput, NotFound, UnknownFrame
from grids.profile import read_profile
from grids.rules.categories import shipped_categories
from grids.rules.lifecycle import Channel

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "profiles"

PROFILE = """
source = "old12345"
frame = "GCJ02"
timezone = "Asia/Shanghai"
time_formats = ["%Y/%m/%d %H:%M", "iso"]
[columns]
id = "工单编号"
received = "来电时间"
lon = "经度"
lat = "纬度"
text = ["标题", "内容"]
[categories]
"乱停车" = "07-001"
[channels]
"电话" = "hotline"
[defaults]
channel = "citizen"
"""


@pytest.fixture
def read(tmp_path):
    """Read the profile above with some of its text exchanged."""

    def read(old="", new=""):
        assert old in PROFILE
        path = tmp_path / "profile.toml"
        path.write_text(PROFILE.replace(old, new, 1) if old else PROFILE, "utf-8")
        return read_profile(path)

    return read


def test_a_profile_says_which_columns_hold_what(read):
    profile = read()

    assert profile.columns.text == ("标题", "内容")
    assert profile.columns.closed is None
    assert ("received", "来电时间") in profile.columns.named()
    assert profile.categories == {"乱停车": "07-001"}
    assert profile.channels == {"电话": Channel.HOTLINE}
    assert profile.default_channel is Channel.CITIZEN
    assert profile.default_category is None


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('source = "old12345"', "", "source"),
        ('"old12345"', '"Old 12345"', "source"),
        ('"Asia/Shanghai"', '"CST"', "timezone"),
        ('"Asia/Shanghai"', '"../etc"', "timezone"),
        ('["%Y/%m/%d %H:%M", "iso"]', '["yyyy-mm-dd"]', "time_formats"),
        ('["%Y/%m/%d %H:%M", "iso"]', "[]", "time_formats"),
        ('id = "工单编号"', "", "columns.id"),
        ('id = "工单编号"', "id = 3", "columns.id"),
        ('text = ["标题", "内容"]', "text = [1]", "columns.text"),
        ("[columns]", "[columns]\nphone = 'tel'", "columns.phone"),
        ('"电话" = "hotline"', '"电话" = "phone"', "channels.电话"),
        ('channel = "citizen"', "", "defaults.channel"),
        ('"乱停车" = "07-001"', '"乱停车" = 7', "categories"),
        ('"乱停车" = "07-001"', '"a" = "07-001"\n"A" = "07-002"', "categories"),
        ("[defaults]", "[default]", "default"),
    ],
)
def test_what_a_profile_has_wrong_is_named(read, old, new, field):
    with pytest.raises(InvalidInput) as refused:
        read(old, new)

    assert (refused.value.code, refused.value.facts["field"]) == ("wrong_profile", field)


def test_a_frame_is_declared_and_never_guessed(read):
    with pytest.raises(UnknownFrame):
        read('"GCJ02"', '"Mars"')
    with pytest.raises(InvalidInput, match="frame is missing"):
        read('frame = "GCJ02"', "")


def test_a_profile_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotFound):
        read_profile(tmp_path / "nothing.toml")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_examples_can_be_read_and_name_categories_that_are_shipped(path):
    profile = read_profile(path)

    assert set(profile.categories.values()) <= {rule.code for rule in shipped_categories()}
