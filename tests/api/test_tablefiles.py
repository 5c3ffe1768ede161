"""Tables as files, each opened by a program that reads such files."""

from __future__ import annotations

import csv
import io
import json
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely

from api.i18n import words_in
from api.tablefiles import MOST_ROWS, About, Column, TableKind, columns_of, write_table
from gis.errors import InvalidInput

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
WORDS = words_in("zh-CN")
COMPUTES = [
    "=1+1",
    "+1",
    "-1+2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(A1)",
    '=HYPERLINK("http://x","y")',
    "=cmd|' /C calc'!A0",
]
ABOUT = About(
    "hotspots-990101",
    "热点分布",
    [("区域", "莱城示范区"), ("时段", "2026-10-01 至 2026-10-31")],
    ["口径：归并件只计一次。", "网格：按当时网格。"],
    NOW,
    "导出：李芳（街道派单员）",
)


def frame(names: list[str] | None = None) -> gpd.GeoDataFrame:
    """Figures of some grids; the last has no data."""
    names = names or ["凤城街道", "高庄街道", "口镇"]
    count = len(names)
    values = np.arange(count) / 3
    values[-1] = np.nan
    return gpd.GeoDataFrame(
        {
            "code": [f"990101{place:03d}" for place in range(1, count + 1)],
            "name": names,
            "level": "town",
            "n": np.arange(count),
            "value": values,
            "overdue_share": values,
            "hot": [place == 1 for place in range(count)],
        },
        # clockwise, against RFC 7946: the file has to turn it
        geometry=[shapely.box(117 + p, 36, 117.5 + p, 36.5, ccw=False) for p in range(count)],
        crs="EPSG:4490",
    )


def points() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "category": ["07-001"],
            "times": [4],
            "first_at": pd.to_datetime([datetime(2026, 1, 31, 17, 0, tzinfo=UTC)]),
            "numbers": [["2026013199010100001", "2026020199010100002"]],
        },
        geometry=[shapely.Point(117.6612345, 36.2)],
        crs="EPSG:4490",
    )


def written(table: pd.DataFrame, kind: TableKind, language: str = "zh-CN") -> bytes:
    words = words_in(language)
    return write_table(table, columns_of(table, words), kind, ABOUT, words)


def csv_rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def sheets(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def test_a_csv_begins_with_its_mark_and_speaks_the_readers_language():
    content = written(frame(), TableKind.CSV)

    assert content.startswith(b"\xef\xbb\xbf")
    head, first, *_, last = csv_rows(content)
    assert head == ["编码", "区域名称", "级别", "级别（代码）", "n（件数）", "指标值", "超期占比", "热点"]
    assert first == ["990101001", "凤城街道", "镇街", "town", "0", "0", "0", "否"]
    assert last[5:7] == ["", ""]  # no data is no zero
    assert csv_rows(written(frame(), TableKind.CSV, "en"))[0][:3] == ["Code", "Name of the area", "Level"]


@pytest.mark.parametrize("text", COMPUTES)
def test_no_cell_of_a_spreadsheet_computes(text):
    table = frame([text, "口镇", "茶业口镇"]).rename(columns={"n": text})

    for row in csv_rows(written(table, TableKind.CSV)):
        assert not any(cell.startswith(tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")) for cell in row)
    book = sheets(written(table, TableKind.XLSX))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [cell.coordinate for cell in cells if cell.data_type == "f"] == []
    written_text = text.replace("\r", "")
    (name,) = [cell for cell in cells if cell.column == 2 and cell.row == 2 and cell.parent.title == "数据表"]
    assert name.value.replace("_x000D_", "").replace("\r", "").strip() == written_text.strip()
    assert name.quotePrefix


def test_the_title_and_filters_of_a_spreadsheet_do_not_compute_either():
    about = About("x", "=1+1", [("区域", "=2+2")], ["=3"], NOW, "@x")

    book = sheets(write_table(frame(), columns_of(frame(), WORDS), TableKind.XLSX, about, WORDS))

    assert all(cell.data_type != "f" for row in book["说明"].iter_rows() for cell in row)


def test_a_spreadsheet_has_typed_cells_a_head_that_stays_and_a_sheet_that_explains_it():
    book = sheets(written(frame(), TableKind.XLSX))

    sheet, told = book["数据表"], book["说明"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:H4"
    assert [cell.value for cell in sheet[2]] == ["990101001", "凤城街道", "镇街", "town", 0, 0, 0, "否"]
    assert sheet["A2"].data_type == "s"
    assert sheet["G3"].number_format == "0.0%"
    assert sheet["F4"].value is None
    assert sheet.column_dimensions["B"].width > sheet.column_dimensions["E"].width - 6
    said = {row[0].value: row[1].value for row in told.iter_rows()}
    assert said["标题"] == "热点分布"
    assert said["区域"] == "莱城示范区"
    assert said["数据截至"] == "2026-11-21 14:30 (UTC+8)"
    assert said["指标值"] == "value"


def test_what_is_said_of_a_table_stands_beside_it_word_for_word():
    told = sheets(written(frame(), TableKind.XLSX))["说明"]

    lines = [(row[0].value, row[1].value) for row in told.iter_rows()]
    assert [text for label, text in lines if label == "统计说明"] == [*ABOUT.notes]
    assert [text for label, text in lines if label == "导出记录"] == [ABOUT.mark]


def test_a_time_is_the_citys_and_a_place_two_numbers():
    head, row = csv_rows(written(points(), TableKind.CSV))
    sheet = sheets(written(points(), TableKind.XLSX))["数据表"]

    assert row[head.index("首次")] == "2026-02-01T01:00:00+08:00"
    assert row[head.index("经度")] == "117.6612345"
    assert row[head.index("事件编号")] == "2026013199010100001; 2026020199010100002"
    assert sheet.cell(2, head.index("首次") + 1).value.isoformat() == "2026-02-01T01:00:00"


def test_geojson_turns_its_rings_as_the_standard_says_and_names_columns_by_code(tmp_path: Path):
    content = written(frame(), TableKind.GEOJSON)

    whole = json.loads(content)
    assert whole["type"] == "FeatureCollection"
    assert "crs" not in whole
    assert (whole["title"], whole["definition"]) == ("热点分布", [*ABOUT.notes])
    assert whole["features"][1]["properties"] == {
        "code": "990101002",
        "name": "高庄街道",
        "level": "town",
        "n": 1,
        "value": 0.333333,
        "overdue_share": 0.333333,
        "hot": True,
    }
    assert whole["features"][2]["properties"]["value"] is None
    for feature in whole["features"]:
        assert shapely.geometry.shape(feature["geometry"]).exterior.is_ccw
    path = tmp_path / "table.geojson"
    path.write_bytes(content)
    read = pyogrio.read_dataframe(path)
    assert (len(read), str(read.crs)) == (3, "EPSG:4326")


def test_a_geopackage_opens_with_its_types_and_says_what_it_is(tmp_path: Path):
    for name, table in (("areas", frame()), ("points", points())):
        path = tmp_path / f"{name}.gpkg"
        path.write_bytes(written(table, TableKind.GPKG))

        read = pyogrio.read_dataframe(path)
        told = pyogrio.read_info(path)

        assert read.crs.to_epsg() == 4490
        assert read.geometry.to_wkt().tolist() == table.geometry.to_wkt().tolist()
        assert told["layer_metadata"]["TITLE"] == "热点分布"
        assert told["layer_metadata"]["DEFINITION"] == " ".join(ABOUT.notes)
        assert told["layer_metadata"]["FILTERS"].startswith("区域: 莱城示范区")
        assert set(read.columns) == set(table.columns)
    assert pd.api.types.is_datetime64_any_dtype(read["first_at"])


def test_a_table_without_rows_is_a_file_all_the_same(tmp_path: Path):
    empty = frame().iloc[:0]

    for kind in TableKind:
        content = written(empty, kind)
        path = tmp_path / f"table.{kind.value}"
        path.write_bytes(content)
        if kind in (TableKind.GPKG, TableKind.GEOJSON):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an empty layer has no kind of geometry
                assert len(pyogrio.read_dataframe(path)) == 0
    assert len(csv_rows(written(empty, TableKind.CSV))) == 1
    assert sheets(written(empty, TableKind.XLSX))["数据表"].max_row == 1


def test_a_table_of_more_rows_than_a_file_holds_is_refused_with_the_way_out():
    table = pd.DataFrame({"n": np.zeros(MOST_ROWS + 1)})

    with pytest.raises(InvalidInput) as refused:
        write_table(table, [Column("n", "n")], TableKind.CSV, ABOUT, WORDS)

    assert refused.value.code == "too_many_rows"


def test_a_table_without_places_is_no_map():
    with pytest.raises(InvalidInput) as refused:
        write_table(pd.DataFrame({"n": [1]}), [Column("n", "n")], TableKind.GPKG, ABOUT, WORDS)

    assert refused.value.code == "no_geometry"


def test_letters_that_no_spreadsheet_takes_are_left_out():
    sheet = sheets(written(frame(["a\x00b\x0bc", "x" * 40_000, "z"]), TableKind.XLSX))["数据表"]

    assert sheet["B2"].value == "abc"
    assert len(sheet["B3"].value) == 32_000
