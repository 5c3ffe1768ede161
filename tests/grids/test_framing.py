"""The frame of a file of areas, or of a table, is held against what is known, and a wrong one stops the grid."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely import box, to_geojson

from gis.crs import Frame, admit_frame, from_storage, parse_frame
from gis.errors import CoverageBroken, InvalidInput
from gis.faults import FaultKind, Severity
from grids.atlas import Atlas
from grids.ground import editions, framing
from grids.ground.framing import (
    PointSample,
    judge_frame,
    read_control_points,
    read_reference,
    references_in_force,
    with_fitting_frames,
)
from grids.ground.plan import check_plan, plan_edition
from grids.rules.levels import GridLevel

XUZHOU = Path(__file__).parents[2].parent / "shared" / "data" / "xuzhou_grids_bd09.geojson"
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DISTRICT = box(117.0, 36.0, 117.08, 36.06)


def an_area(count=24, seed=0):
    """Return a district of one town and one community with uneven cells, by code."""
    random = np.random.default_rng(seed)
    seeds = shapely.MultiPoint(random.uniform(DISTRICT.bounds[:2], DISTRICT.bounds[2:], (count, 2)))
    drawn = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=DISTRICT))
    drawn = shapely.transform(shapely.intersection(drawn, DISTRICT), lambda xy: np.round(xy, 9))
    cells = {f"990101001001{n + 1:03d}": cell for n, cell in enumerate(drawn)}
    return {"990101": DISTRICT, "990101001": DISTRICT, "990101001001": DISTRICT, **cells}


def write(path, areas, frame="CGCS2000", **more):
    """Write areas of the storage frame as a file in `frame` has them, whatever it claims."""
    features = []
    for code, shape in areas.items():
        there = shapely.transform(shape, lambda xy: np.column_stack(from_storage(xy[:, 0], xy[:, 1], frame)))
        properties = {"code": code, "households": 400 if len(code) == 15 else None, **more}
        features.append(
            {"type": "Feature", "properties": properties, "geometry": json.loads(to_geojson(there))}
        )
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return path


def judged(path, frame, **evidence):
    plan = plan_edition(path, frame=frame)
    return judge_frame(check_plan(plan), plan, **evidence)


def frame_faults(report):
    kinds = (FaultKind.MISDECLARED_FRAME, FaultKind.CONTRADICTED_FRAME)
    return [fault for fault in report.faults if fault.kind in kinds]


@pytest.fixture
def reference(tmp_path):
    return read_reference(write(tmp_path / "reference.geojson", an_area()))


@pytest.fixture
def in_force(session, tmp_path):
    """Publish the district and return the session."""
    plan = plan_edition(write(tmp_path / "first.geojson", an_area()), frame="CGCS2000")
    edition = editions.load(
        session, plan, check_plan(plan), name="第一版", effective_from=date(2026, 1, 1), now=NOW
    )
    editions.publish(session, edition.id, by="王", now=NOW)
    return session


def test_a_grid_in_bd09_under_the_name_of_wgs84_is_an_error_that_names_bd09(tmp_path, reference):
    path = write(tmp_path / "cells.geojson", an_area(), "BD09")

    [fault] = frame_faults(judged(path, "WGS84", references=[reference]))

    assert (fault.kind, fault.severity) == (FaultKind.MISDECLARED_FRAME, Severity.ERROR)
    assert "declared as WGS84, but fit reference.geojson as BD09" in fault.message
    assert frame_faults(judged(path, "BD09", references=[reference])) == []


def test_the_first_fault_of_a_report_is_the_frame_since_it_explains_others(tmp_path, reference):
    report = judged(write(tmp_path / "cells.geojson", an_area(), "GCJ02"), "WGS84", references=[reference])

    assert report.faults[0].kind is FaultKind.MISDECLARED_FRAME
    assert not report.ok


def test_a_misdeclared_frame_that_somebody_accepts_is_a_warning_with_the_reason(tmp_path, reference):
    path = write(tmp_path / "cells.geojson", an_area(), "GCJ02")

    report = judged(path, "WGS84", references=[reference], accepted="the reference is the wrong one")

    [fault] = frame_faults(report)
    assert fault.severity is Severity.WARNING
    assert "the reference is the wrong one" in fault.message
    assert fault not in report.errors


def test_a_new_edition_is_held_against_the_one_in_force(in_force, tmp_path):
    path = write(tmp_path / "second.geojson", an_area(26, seed=0), "GCJ02")
    plan = plan_edition(path, frame="WGS84")

    references = references_in_force(in_force, plan, on=date(2026, 3, 2))
    report = judge_frame(check_plan(plan), plan, references=references)

    [fault] = frame_faults(report)
    assert "edition" in references[0].name
    assert "as GCJ02" in fault.message
    draft = editions.load(in_force, plan, report, name="second", effective_from=date(2026, 3, 2), now=NOW)
    with pytest.raises(CoverageBroken):
        editions.publish(in_force, draft.id, by="李", now=NOW)
    assert references_in_force(in_force, plan, on=date(2025, 1, 1)) == []


def test_cells_drawn_entirely_anew_are_held_against_the_outlines_above_them(in_force, tmp_path):
    plan = plan_edition(write(tmp_path / "anew.geojson", an_area(40, seed=9), "GCJ02"), frame="WGS84")

    references = references_in_force(in_force, plan, on=date(2026, 3, 2))

    assert [
        fault.kind for fault in frame_faults(judge_frame(check_plan(plan), plan, references=references))
    ] == [FaultKind.MISDECLARED_FRAME]


def test_control_points_tell_without_any_reference(tmp_path):
    path = write(tmp_path / "cells.geojson", an_area(), "GCJ02")
    random = np.random.default_rng(1)
    lon, lat = random.uniform(117.0, 117.08, 20), random.uniform(36.0, 36.06, 20)
    x, y = from_storage(lon, lat, "GCJ02")
    table = tmp_path / "control.csv"
    lines = [
        f"{a},{b},{c},{d},{'CGCS2000' if i % 2 else ''}"
        for i, (a, b, c, d) in enumerate(zip(x, y, lon, lat, strict=True))
    ]
    table.write_text("x,y,lon,lat,frame\n" + "\n".join(lines), "utf-8")

    [fault] = frame_faults(judged(path, "WGS84", control=read_control_points(table)))

    assert "fit control.csv as GCJ02" in fault.message


def test_control_points_may_say_their_own_frame_unless_it_is_forbidden(tmp_path):
    lon, lat = from_storage(117.0, 36.0, "BD09")
    table = tmp_path / "control.csv"
    table.write_text(f"x,y,lon,lat,frame\n1,2,{lon},{lat},BD09\n", "utf-8")

    points = read_control_points(table)

    assert (points.lon[0], points.lat[0]) == (pytest.approx(117.0), pytest.approx(36.0))
    with pytest.raises(InvalidInput) as refused:
        read_control_points(table, lambda frame: admit_frame(frame, forbid_gcj_inverse=True))
    assert refused.value.code == "frame_forbidden"


@pytest.mark.parametrize(
    ("text", "code"),
    [("x,y,lon\n1,2,3\n", "unknown_column"), ("x,y,lon,lat\n1,2,3,\n", "bad_table"), ("", "bad_table")],
)
def test_control_points_that_cannot_be_read_are_refused(tmp_path, text, code):
    (tmp_path / "control.csv").write_text(text, "utf-8")

    with pytest.raises(InvalidInput) as refused:
        read_control_points(tmp_path / "control.csv")

    assert refused.value.code == code


def test_a_note_that_names_another_frame_is_an_error_until_borders_disprove_it(tmp_path, reference):
    path = write(tmp_path / "cells.geojson", an_area(), "CGCS2000", remark="百度坐标")

    [alone] = frame_faults(judged(path, "CGCS2000"))
    [disproved] = frame_faults(judged(path, "CGCS2000", references=[reference]))

    assert (alone.kind, alone.severity) == (FaultKind.CONTRADICTED_FRAME, Severity.ERROR)
    assert "column 'remark' of cells.geojson says '百度坐标', which names BD09" in alone.message
    assert disproved.severity is Severity.WARNING


def test_the_name_of_a_file_is_a_warning_only(tmp_path):
    [fault] = frame_faults(judged(write(tmp_path / "cells_gcj02.geojson", an_area()), "CGCS2000"))

    assert (fault.kind, fault.severity) == (FaultKind.CONTRADICTED_FRAME, Severity.WARNING)


def test_without_evidence_the_report_says_that_nothing_was_examined(tmp_path):
    report = judged(write(tmp_path / "cells.geojson", an_area()), "CGCS2000")

    assert report.ok
    assert "no control points and no reference" in report.notes[-1]


def test_metres_read_as_degrees_are_told_in_which_system_they_fit_the_reference(tmp_path, reference):
    path = write(tmp_path / "cells.geojson", an_area(), "EPSG:4548")

    with pytest.raises(InvalidInput) as refused:
        plan_edition(path, frame="WGS84")
    told = with_fitting_frames(refused.value, [reference])

    assert told.facts["fits"][0] == "EPSG:4548"
    assert frame_faults(judged(path, "EPSG:4548", references=[reference])) == []
    wrong_zone = judged(path, "EPSG:4547", references=[reference])
    assert "as EPSG:4548" in frame_faults(wrong_zone)[0].message


@pytest.mark.skipif(not XUZHOU.exists(), reason="the sample data is not beside this checkout")
def test_the_cells_of_xuzhou_declared_as_wgs84_are_caught(tmp_path):
    """By their note; and by a reference and control points.

    Both are these very cells brought to the storage frame by our own formula, since no other source of these
    borders is at hand: this shows that the two ways work on real borders, not that the note tells the truth.
    """
    by_note = frame_faults(judged(XUZHOU, "WGS84"))
    true = plan_edition(XUZHOU, frame="BD09").frame
    there = dict(zip(true["code"], true.geometry, strict=True))
    unmarked = write(tmp_path / "cells.geojson", there, "BD09")
    reference = read_reference(write(tmp_path / "reference.geojson", there))
    places = shapely.get_coordinates(true.geometry.to_numpy())[::6]
    x, y = from_storage(places[:, 0], places[:, 1], "BD09")
    control = framing.ControlPoints("control.csv", x, y, places[:, 0], places[:, 1])

    assert {fault.severity for fault in by_note} == {
        Severity.ERROR,
        Severity.WARNING,
    }  # its note, and its name
    assert frame_faults(judged(XUZHOU, "BD09")) == []
    assert frame_faults(judged(unmarked, "WGS84")) == []
    for evidence in ({"references": [reference]}, {"control": control}):
        [fault] = frame_faults(judged(unmarked, "WGS84", **evidence))
        assert "as BD09, 1,24" in fault.message
        assert frame_faults(judged(unmarked, "BD09", **evidence)) == []


def grid():
    plan_frame = an_area()
    import geopandas as gpd

    rows = {"code": list(plan_frame), "level": ["district", "town", "community", *["building_group"] * 24]}
    return Atlas.of(
        gpd.GeoDataFrame({**rows, "name": rows["code"]}, geometry=list(plan_frame.values()), crs=4490),
        GridLevel.BUILDING_GROUP,
    )


def sample(frame, count=20_000, declared="WGS84", texts=(), most=50_000):
    random = np.random.default_rng(2)
    lon, lat = random.uniform(117.0, 117.08, count), random.uniform(36.0, 36.06, count)
    x, y = from_storage(lon, lat, frame)
    found = PointSample(parse_frame(declared), texts, most=most)
    for part in np.array_split(np.arange(count), 4):
        found.add([str(one) for one in x[part]], [*y[part]])
    found.add(["", "n/a"], ["36", "nan"])
    return found


def test_a_table_that_lies_in_the_district_under_another_frame_is_doubted():
    doubt = sample("GCJ02").doubt(grid())

    assert (doubt["declared"], doubt["fits"]) == ("WGS84", "GCJ02")
    assert doubt["shift_m"] == pytest.approx(540, abs=30)
    assert "points lie outside the district" in doubt["reason"]


def test_a_table_that_is_declared_as_it_is_is_not_doubted():
    assert sample("WGS84").doubt(grid()) is None
    assert sample("GCJ02", declared="GCJ02").doubt(grid()) is None
    assert PointSample(Frame.WGS84).doubt(grid()) is None


def test_a_table_whose_column_names_another_frame_is_doubted():
    doubt = sample("WGS84", texts=("calls", "gcj02_lng", "gcj02_lat")).doubt(grid())

    assert doubt["fits"] == "GCJ02"
    assert "gcj02_lng" in doubt["reason"]


def test_a_long_table_is_judged_by_an_even_sample_of_it():
    few = sample("BD09", most=2_000)

    assert few.doubt(grid())["fits"] == "BD09"
    assert len(few._lots) == 2_000
