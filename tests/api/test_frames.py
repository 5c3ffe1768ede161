"""Every edge states its frame: EPSG codes come in and are kept, forbidden ones stay out, wrong ones are told."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import box, to_geojson
from typer.testing import CliRunner

from api.cli import main
from api.settings import Settings
from gis.crs import from_storage

PLACE = (117.005, 36.01)
CELL = "990101001001001"
SHIFTED = ("GCJ-02", "BD09")


@pytest.fixture
def strict(http: Any, cluster: Any, city_template: str, worker_id: str, clock: Any) -> Iterator[Any]:
    """The city of an operator who forbids to convert GCJ-02 and BD-09 back."""
    settings = Settings(session_idle_minutes=10**6, session_hours=10**4, forbid_gcj_inverse=True)
    with http.open_city(cluster, city_template, f"city_strict_{worker_id}", clock, settings) as opened:
        yield opened


@pytest.fixture
def run(monkeypatch, make_database, tmp_path):
    """Run a command on a database of its own, in a directory of its own."""
    monkeypatch.setenv("GRID_DATABASE_URL", make_database())
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)), prog_name="gridwhistle")


def an_area(count=16):
    """Return a district with uneven cells, by code."""
    whole = box(117.0, 36.0, 117.06, 36.05)
    random = np.random.default_rng(0)
    seeds = shapely.MultiPoint(random.uniform(whole.bounds[:2], whole.bounds[2:], (count, 2)))
    drawn = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=whole))
    cells = shapely.transform(shapely.intersection(drawn, whole), lambda xy: np.round(xy, 9))
    codes = [f"990101001001{number + 1:03d}" for number in range(count)]
    return {
        "990101": whole,
        "990101001": whole,
        "990101001001": whole,
        **dict(zip(codes, cells, strict=True)),
    }


def write_grid(path, frame="CGCS2000"):
    features = []
    for code, shape in an_area().items():
        fine = shapely.segmentize(shape, 0.001)  # so that long edges stay where they are in every frame
        there = shapely.transform(fine, lambda xy: np.column_stack(from_storage(xy[:, 0], xy[:, 1], frame)))
        features.append(
            {"type": "Feature", "properties": {"code": code}, "geometry": json.loads(to_geojson(there))}
        )
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return path


def write_points(path, frame="CGCS2000", count=3_000, columns=("lon", "lat")):
    random = np.random.default_rng(1)
    x, y = from_storage(random.uniform(117.0, 117.06, count), random.uniform(36.0, 36.05, count), frame)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *columns, "received"])
        writer.writerows([i, a, b, "2026-01-05T08:00:00"] for i, (a, b) in enumerate(zip(x, y, strict=True)))
    return path


def profile(path, frame):
    path.write_text(
        f'source = "old"\nframe = "{frame}"\ntimezone = "Asia/Shanghai"\n[columns]\nid = "id"\n'
        'received = "received"\nlon = "lon"\nlat = "lat"\n[defaults]\nchannel = "hotline"\n',
        "utf-8",
    )
    return path


@pytest.mark.parametrize("frame", ["EPSG:4548", "EPSG:4527", "EPSG:3857", "epsg:32650"])
def test_a_report_in_metres_is_placed_where_it_lies_and_kept_as_it_came(city: Any, frame: str) -> None:
    x, y = from_storage(*PLACE, frame)

    number = city.act("hotline", "incidents", city.said(lon=x, lat=y, frame=frame), 201)["number"]

    case = city.see("hotline", f"incidents/{number}")
    assert case["placement"]["code"] == CELL
    assert (case["lon"], case["lat"]) == (pytest.approx(PLACE[0]), pytest.approx(PLACE[1]))
    assert case["native"] == {"lon": x, "lat": y, "frame": frame.upper(), "accuracy_m": None}
    assert city.see("worker", "locate", lon=x, lat=y, frame=frame)["code"] == CELL
    assert frame.upper() in city.as_("hotline").get(f"/incidents/{number}").text


@pytest.mark.parametrize(
    ("lon", "lat", "frame", "code", "words"),
    [
        (500_450.6, 3_986_738.8, "WGS84", "coordinate_out_of_range", "in the city in EPSG:4548"),
        (117.005, 36.01, "EPSG:4548", "coordinate_out_of_range", "in the city in WGS84 or CGCS2000"),
        (3_986_738.8, 500_450.6, "EPSG:4548", "axes_swapped", "other way round"),
        (39_500_450.6, 3_986_738.8, "EPSG:4548", "coordinate_out_of_range", "in the city in EPSG:4527"),
        (36.01, 117.005, "CGCS2000", "axes_swapped", "other way round"),
        (500_450.6, 3_986_738.8, "EPSG:2385", "no_exact_conversion", "EPSG:2385"),
        (117.005, 36.01, "EPSG:999999", "unknown_frame", "EPSG:<number>"),
        (117.005, 36.01, "<script>", None, "frame"),
    ],
)
def test_a_report_whose_numbers_do_not_fit_its_frame_is_refused_and_told_what_would(
    city: Any, lon: float, lat: float, frame: str, code: str | None, words: str
) -> None:
    refused = city.act("hotline", "incidents", city.said(lon=lon, lat=lat, frame=frame), 422)
    asked = city.as_("worker").get("/api/locate", params={"lon": lon, "lat": lat, "frame": frame})

    assert asked.status_code == 422
    if code is not None:
        assert refused["code"] == asked.json()["code"] == code
    assert words in json.dumps(refused)


def test_the_interface_says_what_a_frame_may_be(city: Any) -> None:
    document = city.as_("worker").get("/openapi.json").json()

    report = document["components"]["schemas"]["ReportIn"]["properties"]
    assert "EPSG:4548" in report["frame"]["description"]
    assert "easting" in report["lon"]["description"]
    located = {one["name"]: one for one in document["paths"]["/api/locate"]["get"]["parameters"]}
    assert "EPSG:4548" in json.dumps(located["frame"])


@pytest.mark.parametrize("frame", SHIFTED)
def test_an_operator_who_forbids_the_inverse_takes_no_shifted_coordinate_anywhere(
    strict: Any, frame: str
) -> None:
    lon, lat = from_storage(*PLACE, frame)
    number = strict.report()
    page = {"lon": lon, "lat": lat, "frame": frame, "text": "占道", "do": ""}

    answers = [
        strict.as_("hotline").post("/api/incidents", json=strict.said(lon=lon, lat=lat, frame=frame)),
        strict.as_("worker").get("/api/locate", params={"lon": lon, "lat": lat, "frame": frame}),
        strict.as_("worker").get("/api/nearest", params={"lon": lon, "lat": lat, "frame": frame}),
        strict.as_("scjg").post(
            "/api/tasks/1/check-in", json={"method": "gps", "lon": lon, "lat": lat, "frame": frame}
        ),
        strict.as_("hotline").post("/report/new", data=page),
        strict.as_("hotline").post("/report/new", data={**page, "do": "locate"}),
    ]

    assert [answer.status_code for answer in answers] == [422] * 6
    assert [answer.json()["code"] for answer in answers[:4]] == ["frame_forbidden"] * 4
    part = strict.as_("hotline").get("/report/place", params={"lon": lon, "lat": lat, "frame": frame})
    assert "CGCS2000" in part.text
    assert "data-located" not in part.text
    assert [one["number"] for one in strict.see("platform", "incidents")["items"]] == [number]


def test_what_is_not_shifted_still_comes_in_and_the_form_offers_nothing_else(strict: Any) -> None:
    form = strict.as_("hotline").get("/report/new").text

    assert strict.act("hotline", "incidents", strict.said(frame="WGS84"), 201)["status"] == "reported"
    assert 'value="WGS84"' in form
    assert 'value="GCJ02"' not in form
    assert 'value="BD09"' not in form


@pytest.mark.parametrize("frame", SHIFTED)
def test_the_command_line_takes_no_shifted_coordinate_either(run, monkeypatch, tmp_path, frame) -> None:
    monkeypatch.setenv("GRID_FORBID_GCJ_INVERSE", "true")
    grid, points = write_grid(tmp_path / "grid.geojson"), write_points(tmp_path / "points.csv")
    mapping = tmp_path / "mapping.toml"
    levels = ("district", "town", "community", "building_group")
    mapping.write_text(
        f'frame = "{frame}"\n[every_level]\ncode = "code"\nparent_by = "prefix"\n'
        + "".join(f"[levels.{level}]\n" for level in levels),
        "utf-8",
    )
    table = tmp_path / "control.csv"
    table.write_text(f"x,y,lon,lat,frame\n117,36,117,36,{frame}\n", "utf-8")

    commands = [
        ("grids", "check", grid, "--frame", frame),
        ("grids", "check", grid, "--mapping", mapping),
        ("grids", "check", grid, "--control-points", table),
        ("grids", "load", grid, "--frame", frame, "--effective", "2026-01-01"),
        ("grids", "load", grid, "--mapping", mapping, "--effective", "2026-01-01"),
        ("locate", points, "-o", "out.csv", "--grids", grid, "--frame", frame),
        ("locate", points, "-o", "out.csv", "--grids", grid, "--mapping", mapping),
        ("incidents", "import", points, "--profile", profile(tmp_path / "p.toml", frame)),
    ]

    for command in commands:
        result = run(*command)
        assert (result.exit_code, "[frame_forbidden]" in result.stderr) == (1, True), command
    assert not (tmp_path / "out.csv").exists()
    assert run("grids", "check", grid, "--frame", "CGCS2000").exit_code == 0


def test_a_draft_is_held_against_the_edition_in_force_and_may_be_accepted_with_a_reason(
    run, tmp_path
) -> None:
    day = ("--effective", "2026-01-01", "--json")
    first = run("grids", "load", write_grid(tmp_path / "first.geojson"), "--frame", "CGCS2000", *day)
    assert run("grids", "publish", "1", "--by", "王").exit_code == 0
    second = write_grid(tmp_path / "second.geojson", "GCJ02")

    refused = run("grids", "load", second, "--frame", "WGS84", *day)
    accepted = run("grids", "load", second, "--frame", "WGS84", "--accept-frame", "edition 1 is wrong", *day)
    right = run("grids", "load", second, "--frame", "GCJ-02", *day)

    kinds = [
        [one["kind"] for one in json.loads(result.stdout)["faults"]] for result in (first, refused, right)
    ]
    assert kinds == [[], ["misdeclared_frame"], []]
    assert refused.exit_code == 1
    assert "edition 1 in force" in json.loads(refused.stdout)["faults"][0]["message"]
    report = json.loads(accepted.stdout)
    assert (accepted.exit_code, report["errors"]) == (0, 0)
    assert "edition 1 is wrong" in json.dumps(report["faults"])


def test_a_file_in_metres_is_checked_against_a_reference_and_told_its_zone(run, tmp_path) -> None:
    reference = write_grid(tmp_path / "reference.geojson")
    metres = write_grid(tmp_path / "metres.geojson", "EPSG:4548")

    as_degrees = run("grids", "check", metres, "--frame", "WGS84", "--reference", reference)
    as_utm = run("grids", "check", metres, "--frame", "EPSG:32650", "--reference", reference)
    right = run("grids", "check", metres, "--frame", "EPSG:4548", "--reference", reference)

    assert (as_degrees.exit_code, as_utm.exit_code, right.exit_code) == (1, 1, 0)
    assert "would lie in reference.geojson in EPSG:4548" in as_degrees.stderr
    assert "error misdeclared_frame" in as_utm.stdout
    assert "as EPSG:4548" in as_utm.stdout
    assert "of the borders lie on each other under EPSG:4548" in right.stdout


def test_a_table_that_fits_another_frame_better_is_placed_with_a_warning(run, tmp_path) -> None:
    grid = write_grid(tmp_path / "grid.geojson")
    points = write_points(tmp_path / "points.csv", "BD09")
    columns = write_points(tmp_path / "named.csv", columns=("bd09_lng", "bd09_lat"))
    named = ("--lon-column", "bd09_lng", "--lat-column", "bd09_lat")

    wrong = run("locate", points, "-o", "a.csv", "--grids", grid, "--frame", "WGS84", "--json")
    right = run("locate", points, "-o", "b.csv", "--grids", grid, "--frame", "BD09", "--json")
    by_name = run("locate", columns, "-o", "c.csv", "--grids", grid, *named)

    assert wrong.exit_code == right.exit_code == by_name.exit_code == 0
    assert "warning: the coordinates are taken as WGS84, but look like BD09" in wrong.stderr
    assert json.loads(wrong.stdout)["frame_doubt"]["fits"] == "BD09"
    assert (right.stderr, json.loads(right.stdout)["frame_doubt"]) == ("", None)
    assert "look like BD09" in by_name.stderr


def test_a_table_in_metres_is_placed_and_rows_that_are_no_place_are_rejected(run, tmp_path) -> None:
    grid = write_grid(tmp_path / "grid.geojson")
    points = write_points(tmp_path / "points.csv", "EPSG:4527")
    with points.open("a") as file:
        file.write("x,117.01,36.01,\ny,,36,\n")
    swapped = write_points(tmp_path / "swapped.csv", "EPSG:4527", columns=("lat", "lon"))

    placed = run("locate", points, "-o", "a.csv", "--grids", grid, "--frame", "EPSG:4527", "--json")
    refused = run("locate", swapped, "-o", "b.csv", "--grids", grid, "--frame", "EPSG:4527")

    told = json.loads(placed.stdout)
    assert (told["frame"], told["outside"], told["inside"] + told["border"]) == ("EPSG:4527", 0, 3_000)
    assert told["reasons"] == {"no place in EPSG:4527": 1, "no easting": 1}
    assert "[axes_swapped]" in refused.stderr


def test_a_history_that_fits_another_frame_better_is_imported_with_a_warning(run, tmp_path) -> None:
    run(
        "grids",
        "load",
        write_grid(tmp_path / "g.geojson"),
        "--frame",
        "CGCS2000",
        "--effective",
        "2020-01-01",
    )
    run("grids", "publish", "1")
    points = write_points(tmp_path / "points.csv", "GCJ02")

    wrong = run(
        "incidents", "import", points, "--profile", profile(tmp_path / "w.toml", "WGS84"), "--dry-run"
    )
    right = run("incidents", "import", points, "--profile", profile(tmp_path / "g.toml", "GCJ02"), "--json")
    metres = write_points(tmp_path / "metres.csv", "EPSG:4548", count=20)
    kept = profile(tmp_path / "m.toml", "EPSG:4548")
    kept.write_text(kept.read_text("utf-8").replace('"old"', '"other"'), "utf-8")
    in_metres = run("incidents", "import", metres, "--profile", kept, "--json")

    assert "look like GCJ02" in wrong.stderr
    assert json.loads(right.stdout)["frame_doubt"] is None
    assert json.loads(in_metres.stdout)["imported"] == 20
    assert sum(json.loads(in_metres.stdout)["placed"].values()) == 20
