"""`gridwhistle responsibilities lists|draft|compare|dry-run|publish`: drafted by one, published by another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import main

TABLE = """item_no,category,area,lead,cooperating,basis,demarcation
1,10-001,990101,CG,SCJG;GA,法定,
2,07-001,990101,JJ,CG,商定,路内停车由交警大队管理；路外由城管局管理
"""
PAPER = ("--effective", "2090-01-01", "--source", "区办发〔2026〕12号")


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, list(map(str, arguments)), prog_name="gridwhistle")


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, made_up: Any) -> None:
    """The smallest made-up district, in a database of its own."""
    address, _facts = made_up()
    monkeypatch.setenv("GRID_DATABASE_URL", address)


def test_a_list_is_drafted_tried_out_and_published_by_two_people(demo: None, tmp_path: Any) -> None:
    file = tmp_path / "duties.csv"
    file.write_text(TABLE, "gb18030")

    empty = run("responsibilities", "lists")
    drafted = json.loads(run("responsibilities", "draft", file, *PAPER, "--by", "赵", "--json").stdout)
    compared = run("responsibilities", "compare", drafted["id"])
    tried = json.loads(run("responsibilities", "dry-run", drafted["id"], "--by", "赵", "--json").stdout)
    told = run("responsibilities", "dry-run", drafted["id"], "--by", "赵")
    own = run("responsibilities", "publish", drafted["id"], "--by", "赵")
    published = run("responsibilities", "publish", drafted["id"], "--by", "钱")

    assert "no district has drafted a list" in empty.stdout
    assert (drafted["version"], drafted["items"]) == (1, 2)
    assert "+ 07-001 in 990101: JJ" in compared.stdout
    assert "2 new, 3 dropped, 0 changed, 0 the same" in compared.stdout
    assert tried["match"] + tried["change"] == tried["incidents"] > 0
    assert f"{tried['match']} match, {tried['change']} change lead" in told.stdout
    assert (own.exit_code, "[second_person_needed]" in own.stderr) == (1, True)
    assert (
        "version 1 holds in 990101 from 2090-01-01; 3 items of the list before end that day"
        in published.stdout
    )
    assert "published" in run("responsibilities", "lists").stdout
    copied = json.loads(run("responsibilities", "draft", *PAPER, "--json").stdout)
    assert json.loads(run("responsibilities", "compare", copied["id"], "--json").stdout)["same"] == 2


def test_a_table_that_cannot_be_used_says_where(demo: None, tmp_path: Any) -> None:
    file = tmp_path / "duties.csv"
    file.write_text(TABLE.replace("JJ", "NONE"), "utf-8")

    refused = run("responsibilities", "draft", file, *PAPER)
    missing = run("responsibilities", "draft", tmp_path / "none.csv", *PAPER)

    assert (refused.exit_code, "row 3, column lead" in refused.stderr) == (1, True)
    assert (missing.exit_code, "[file_not_found]" in missing.stderr) == (1, True)
    assert "no district has drafted a list" in run("responsibilities", "lists").stdout
