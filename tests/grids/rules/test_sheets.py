from __future__ import annotations

from pathlib import Path

import pytest

from gis.errors import InvalidInput
from grids.rules.sheets import read_sheet

COLUMNS = ("code", "name", "size")


def names(source: Path | str) -> list[str]:
    return [row.text("name") for row in read_sheet(source, "parks", COLUMNS)]


def test_columns_may_come_in_any_order_and_blanks_around_cells_go() -> None:
    assert names("size, name ,code\n1, 人民公园 ,A\n2,Lake,B\n") == ["人民公园", "Lake"]


def test_blank_lines_are_passed_over_and_rows_are_counted_as_a_spreadsheet_does() -> None:
    rows = list(read_sheet("code,name,size\nA,x,1\n,,\nB,y,2\n", "parks", COLUMNS))

    assert [row.number for row in rows] == [2, 4]


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "parks.csv"
    file.write_bytes("code,name,size\r\nA,湖,1\r\n".encode("utf-8-sig"))

    assert names(file) == ["湖"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing: code, name, size"),
        ("code,name\nA,x\n", r"row 1: .*missing: size; unknown: none"),
        ("code,name,size,colour\nA,x,1,red\n", "unknown: colour"),
        ("code,name,size,size\nA,x,1,1\n", "none may come twice"),
        ("code,name,size\nA,x\n", "row 2: 2 cells under 3 columns"),
        ("code,name,size\nA,x,1\nA,y,2\n", r"row 3 \(A\), column code: got 'A', wanted a key .* in row 2"),
        ("code,name,size\n,x,1\n", "row 2 .*column code: got ''"),
        ('code,name,size\nA,"x,1\n', "not a comma-separated table"),
    ],
)
def test_a_table_of_another_shape_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=f"parks.*{message}") as caught:
        names(text)

    assert caught.value.code == "bad_sheet"


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "parks.csv"
    file.write_bytes("code,name,size\nA,公园,1\n".encode("gb18030"))

    with pytest.raises(InvalidInput, match=r"parks\.csv is not UTF-8 text .*save it as CSV UTF-8"):
        names(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        names(tmp_path / "nothing.csv")
