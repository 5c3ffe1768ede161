"""Tables come as people make them, and leave so that a spreadsheet shows them and computes nothing."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import InvalidInput, NotFound
from grids.csvtables import CsvSource, Rejects, partial, safe_cell


@pytest.fixture
def table(tmp_path):
    """Write bytes or text to a file and return its path."""

    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def all_rows(source, rows=50_000):
    return [tuple(row) for block in source.blocks(rows) for row in block.rows.itertuples(index=False)]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("编号,说明\n1,积水\n".encode(), "utf-8"),
        ("编号,说明\r\n1,积水\r\n".encode("utf-8-sig"), "utf-8"),
        ("编号,说明\n1,积水\n".encode("utf-8-sig"), "utf-8-sig"),
        ("编号,说明\n1,积水\n".encode("gb18030"), "gb18030"),
        ("编号,说明\n1,积水\n".encode("gbk"), "GBK"),
        (gzip.compress("编号,说明\n1,积水\n".encode("utf-8-sig")), "utf-8"),
    ],
    ids=["utf-8", "with a mark", "declared with a mark", "gb18030", "gbk", "packed"],
)
def test_a_table_is_read_whatever_way_it_was_saved(table, content, encoding):
    source = CsvSource(table(content), encoding)

    assert source.columns == ("编号", "说明")
    assert all_rows(source) == [("1", "积水")]


def test_a_table_in_another_encoding_is_refused_with_what_to_do(table):
    path = table("编号,说明\n1,积水\n".encode("gb18030"))

    with pytest.raises(InvalidInput, match="--encoding") as refused:
        CsvSource(path)

    assert refused.value.code == "wrong_encoding"


def test_cells_stay_the_text_that_they_are(table):
    source = CsvSource(table("a,b,c\n007,NA, 1e3 \n"))

    assert all_rows(source) == [("007", "NA", " 1e3 ")]


def test_a_row_that_does_not_fit_the_header_is_handed_out_with_its_line(table):
    source = CsvSource(table('a,b\n1,"two\nlines"\n1,2,3\n\n4\n5,6\n'))

    [block] = source.blocks()

    assert block.rows.index.tolist() == [3, 7]
    assert [(row.line, row.cells) for row in block.malformed] == [(4, ("1", "2", "3")), (6, ("4",))]
    assert block.malformed[0].reason == "3 cells where the header has 2"


def test_blocks_cover_the_table_and_tell_how_far_they_came(table):
    path = table("a\n" + "\n".join(map(str, range(10))) + "\n")
    read = []
    source = CsvSource(path, advance=read.append)

    blocks = list(source.blocks(rows=4))

    assert [len(block.rows) for block in blocks] == [4, 4, 2]
    assert sum(read) == path.stat().st_size


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("a,b,a\n1,2,3\n", "'a' twice"),
        (",\n1,2\n", "twice"),
        ('a,b\n1,"never closed\n' + "x,y\n" * 400_000, "never closed"),
        (gzip.compress(b"a,b\n1,2\n" * 9999)[:-20], "cannot be unpacked"),
    ],
    ids=["empty", "column twice", "no names", "open quotation", "cut off"],
)
def test_what_is_no_table_is_refused_in_plain_words(table, content, said):
    with pytest.raises(InvalidInput, match=said) as refused:
        list(CsvSource(table(content)).blocks())

    assert refused.value.code == "bad_table"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"nothing\.csv"):
        CsvSource(tmp_path / "nothing.csv")


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13"])
def test_an_encoding_that_is_none_is_refused(table, encoding):
    with pytest.raises(InvalidInput) as refused:
        CsvSource(table("a\n"), encoding)

    assert refused.value.code == "unknown_encoding"


def test_rejects_can_be_mended_and_handed_in_again(table, tmp_path):
    source = CsvSource(table("编号,值\n1,甲\n2\n3,乙\n".encode("gb18030")), "gb18030")
    [block] = source.blocks()

    with Rejects(tmp_path / "rejects.csv", source) as rejects:
        rejects.add_malformed(block.malformed)
        rejects.add(block.rows.loc[[4]], ["no place"], ["值"])

    again = CsvSource(tmp_path / "rejects.csv", "gb18030")
    assert again.columns == ("编号", "值", "reject_line", "reject_field", "reject_reason")
    assert all_rows(again) == [
        ("2", "", "3", "", "1 cells where the header has 2"),
        ("3", "乙", "4", "值", "no place"),
    ]
    assert rejects.reasons == {"1 cells where the header has 2": 1, "no place": 1}


def test_rejects_of_an_earlier_run_do_not_outlive_a_clean_one(table, tmp_path):
    left = table("a,reject_line,reject_reason\n1,2,old\n", "rejects.csv")

    with Rejects(left, CsvSource(table("a\n1\n"))):
        pass

    assert not left.exists()


def test_a_file_takes_its_place_only_when_it_is_whole(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("before")

    def fail():
        with partial(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path):
    with pytest.raises(InvalidInput) as refused, partial(tmp_path / "nowhere" / "out.csv"):
        pass

    assert refused.value.code == "cannot_write"


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\x00", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_text_that_a_spreadsheet_would_compute_begins_with_an_apostrophe(start):
    assert safe_cell(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"


@given(st.text())
def test_no_text_begins_a_formula(text):
    cell = safe_cell(text)

    assert isinstance(cell, str)
    assert not cell or cell[0] not in "=+-@\t\r\x00\uff1d\uff0b\uff0d\uff20"
    assert cell.removeprefix("'") == text.removeprefix("'")


def test_numbers_stay_numbers():
    assert [safe_cell(value) for value in (-73.9, -1, None)] == [-73.9, -1, None]
