"""The mapping: what it may say, and what is refused by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from gis.crs import Frame
from gis.errors import InvalidInput, NotFound
from gis.faults import FaultKind
from grids.ground.mapping import read_mapping
from grids.rules.levels import TOP_DOWN, GridLevel

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples" / "mappings").glob("*.toml"))

WHOLE = """
frame = "gcj-02"
encoding = "GBK"

[codes]
prefix = "9901"

[every_level]
layer = "all"
code = "dm"

[levels.district]
column = "cj"
value = 1
[levels.town]
dissolve = true
name = "jd"
parent_by = "prefix"
[levels.community]
file = "sq.shp"
layer = "sq"
parent_by = "place"
households = "hs"

[tolerance]
edge_m = 3

[[accepted]]
kind = "gap"
lon = 117.1
lat = 34
reason = "a lake"
"""


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "mapping.toml"
        path.write_text(text, "utf-8")
        return read_mapping(path)

    return read_text


def test_a_mapping_says_where_each_level_is(read):
    mapping = read(WHOLE)

    district, town, community = mapping.levels
    assert (district.level, district.layer, district.column, district.value) == (
        GridLevel.DISTRICT,
        "all",
        "cj",
        "1",
    )
    assert (town.dissolve, town.code, town.name) == (True, "dm", "jd")
    assert (community.file, community.layer, community.parent_by, community.households) == (
        "sq.shp",
        "sq",
        "place",
        "hs",
    )
    assert (mapping.prefix, mapping.frame, mapping.encoding) == ("9901", Frame.GCJ02, "GBK")
    assert (mapping.tolerance.edge_m, mapping.tolerance.gap_m2) == (3.0, 1.0)
    assert (mapping.accepted[0].kind, mapping.accepted[0].reason) == (FaultKind.GAP, "a lake")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_in_the_documentation_can_be_read(path):
    assert read_mapping(path).levels[0].level is TOP_DOWN[0]


def test_there_are_examples():
    assert [path.name for path in EXAMPLES] == ["nyc.toml", "taichung.toml"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("[codes]", "[kodes]"), "kodes"),
        (('prefix = "9901"', 'prefix = "99"'), "codes.prefix"),
        (('prefix = "9901"', "prefix = 9901"), "codes.prefix"),
        (("edge_m = 3", "edge_m = -3"), "tolerance.edge_m"),
        (("edge_m = 3", 'edge_m = "3"'), "tolerance.edge_m"),
        (("edge_m = 3", "edge = 3"), "tolerance.edge"),
        (("edge_m = 3", "covered_percent = 101"), "tolerance.covered_percent"),
        (('kind = "gap"', 'kind = "hole"'), "accepted[1].kind"),
        (('kind = "gap"', 'kind = "invalid_ring"'), "accepted[1].kind"),
        (('reason = "a lake"', 'reason = ""'), "accepted[1].reason"),
        (("lat = 34", ""), "accepted[1].lat"),
        (('parent_by = "place"', 'parent_by = "luck"'), "levels.community.parent_by"),
        (('households = "hs"', "households = 3"), "levels.community.households"),
        (("[levels.town]", "[levels.village]"), "levels.village"),
        (("[levels.town]", "[levels.building_group]"), "levels"),
        (('column = "cj"', ""), "levels.district.column"),
        (('code = "dm"', ""), "levels.district.code"),
        (("dissolve = true", 'dissolve = "yes"'), "levels.town.dissolve"),
        (('parent_by = "prefix"', ""), "levels.town.parent"),
        (("[codes]", "[codes"), "mapping"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused_by_its_key(read, change, field):
    assert change[0] in WHOLE

    with pytest.raises(InvalidInput) as refused:
        read(WHOLE.replace(*change))

    assert refused.value.code == "wrong_mapping"
    assert refused.value.facts["field"] == field


def test_the_lowest_level_cannot_be_joined_from_below(read):
    with pytest.raises(InvalidInput) as refused:
        read('[levels.district]\ncode = "x"\ndissolve = true\n')

    assert refused.value.code == "wrong_mapping"


def test_an_unknown_frame_is_refused(read):
    with pytest.raises(InvalidInput) as refused:
        read(WHOLE.replace("gcj-02", "mars"))

    assert refused.value.code == "unknown_frame"


def test_a_mapping_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFound):
        read_mapping(tmp_path / "none.toml")
