"""`gridwhistle limits` and `gridwhistle calendar`: drafted by one, published by another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import main
from grids.rules.profiles import SHIPPED

OURS = """
code = "ours"
name = "本区时限"
name_en = "Ours"
source = "a paper"
return_window = "2 work_day"
[clocks]
accept = "2 work_hour"
"""
NOTICE = "day,working,name\n2029-01-01,no,元旦\n2029-02-18,yes,春节\n2029-02-13,no,春节\n"
SOURCE = "国办发明电"


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, list(map(str, arguments)), prog_name="gridwhistle")


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, made_up: Any) -> None:
    """The smallest made-up district, in a database of its own."""
    address, _facts = made_up()
    monkeypatch.setenv("GRID_DATABASE_URL", address)


def test_a_file_of_limits_is_checked_without_a_database(tmp_path: Any) -> None:
    file = tmp_path / "ours.toml"
    file.write_text(OURS, "utf-8")

    checked, compared = run("limits", "check", file), run("limits", "diff", "shandong", file, "--json")

    assert (checked.exit_code, checked.stdout.splitlines()[-1]) == (0, "ours: 2 limits differ")
    assert {one["field"] for one in json.loads(compared.stdout)["changes"]} == {
        "clocks.accept",
        "ceilings.yellow",
        "ceilings.blue",
        "ceilings.green",
    }
    file.write_text(OURS.replace("2 work_day", "soon"), "utf-8")
    refused, missing = run("limits", "check", file), run("limits", "check", tmp_path / "none.toml")
    assert (refused.exit_code, "return_window" in refused.stderr) == (1, True)
    assert (missing.exit_code, "[file_not_found]" in missing.stderr) == (1, True)


def test_a_shipped_profile_is_printed_as_a_file_to_begin_with(tmp_path: Any) -> None:
    for code in SHIPPED:
        file = tmp_path / f"{code}.toml"
        file.write_text(run("limits", "show", code).stdout, "utf-8")

        assert run("limits", "diff", code, file).stdout == f"{code}: 0 limits differ\n"


def test_limits_are_drafted_and_published_by_two_people(demo: None, tmp_path: Any) -> None:
    file = tmp_path / "ours.toml"
    file.write_text(OURS, "utf-8")

    drafted = json.loads(
        run("limits", "draft", file, "--effective", "2090-01-01", "--by", "赵", "--json").stdout
    )
    own = run("limits", "publish", drafted["id"], "--by", "赵")
    published = run("limits", "publish", drafted["id"], "--by", "钱", "--json")
    past = run("limits", "draft", file, "--effective", "2020-01-01")

    assert [one["field"] for one in drafted["changes"]] == ["return_window", "clocks.accept"]
    assert (own.exit_code, "[second_person_needed]" in own.stderr) == (1, True)
    assert json.loads(published.stdout)["running_cases"] > 0
    assert (past.exit_code, "[past_day]" in past.stderr) == (1, True)
    (row,) = json.loads(run("limits", "list", "--json").stdout)["stored"]
    assert (row["status"], row["in_force"], row["drafted_by"], row["published_by"]) == (
        "published",
        False,
        "赵",
        "钱",
    )
    assert "ours version 1" in run("limits", "list").stdout
    assert run("limits", "diff", drafted["id"], file).stdout == "ours: 0 limits differ\n"
    elsewhere = run("limits", "draft", file, "--effective", "2090-01-01", "--district", "123456")
    assert (elsewhere.exit_code, "[unknown_district]" in elsewhere.stderr) == (1, True)


def test_a_year_is_drafted_and_published_by_two_people(demo: None, tmp_path: Any) -> None:
    file = tmp_path / "2029.csv"
    file.write_text(NOTICE, "utf-8")

    unsourced = run("calendar", "draft", 2029, file)
    drafted = run("calendar", "draft", 2029, file, "--source", SOURCE, "--by", "赵")
    own = run("calendar", "publish", 1, "--by", "赵")
    published = run("calendar", "publish", 1, "--by", "钱")

    assert (unsourced.exit_code, "[source_needed]" in unsourced.stderr) == (1, True)
    assert "2029-02-18 Sun: not loaded -> worked (春节)" in drafted.stdout
    assert (own.exit_code, "[second_person_needed]" in own.stderr) == (1, True)
    assert "3 days changed" in published.stdout
    listed = json.loads(run("calendar", "list", "--json").stdout)
    assert {"year": 2029, "days": 365, "worked": 260} in listed["years"]
    assert listed["drafts"][0]["status"] == "published"
    assert "2029: 365 days" in run("calendar", "list").stdout
    assert run("calendar", "draft", 2019, "--by", "赵").exit_code == 0  # what the library carries
    unknown = run("calendar", "draft", 2098)
    assert (unknown.exit_code, "[calendar_unknown]" in unknown.stderr) == (1, True)
