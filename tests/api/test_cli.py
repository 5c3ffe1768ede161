"""The command line keeps its word on exit codes, plain errors and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli import main


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, make_database: Callable[[], str]) -> Callable[..., Result]:
    """Run a command on a database of its own."""
    monkeypatch.setenv("GRID_DATABASE_URL", make_database())
    return lambda *arguments: CliRunner().invoke(main, arguments, prog_name="gridwhistle")


def test_help_is_done_and_lists_the_nouns() -> None:
    result = CliRunner().invoke(main, ["--help"])

    assert result.exit_code == 0
    assert "db" in result.output


def test_an_unknown_command_is_used_wrongly() -> None:
    assert CliRunner().invoke(main, ["fly"]).exit_code == 2


def test_the_state_of_the_database_can_be_read_by_a_program(run: Callable[..., Result]) -> None:
    result = run("db", "status", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (found["kind"], found["running"], found["up_to_date"]) == ("external", True, True)


def test_migrating_what_is_up_to_date_is_done(run: Callable[..., Result]) -> None:
    result = run("db", "migrate")

    assert result.exit_code == 0
    assert "schema at revision 0" in result.stdout


def test_a_backup_is_made_and_restored(run: Callable[..., Result], tmp_path: Path) -> None:
    assert run("db", "backup", str(tmp_path / "district.backup")).exit_code == 0

    result = run("db", "restore", "--yes", str(tmp_path / "district.backup"))

    assert result.exit_code == 0
    assert "_before_restore" in result.stdout


def test_a_restore_that_nobody_confirmed_changes_nothing(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("db", "restore", str(tmp_path / "district.backup"))

    assert result.exit_code == 1
    assert "restored" not in result.stdout


def test_what_is_refused_is_one_plain_line(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("db", "restore", "--yes", str(tmp_path / "nothing.backup"))

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"gridwhistle: there is no backup file {tmp_path / 'nothing.backup'} [no_backup]"
    ]


def test_a_database_elsewhere_is_not_started_or_stopped(run: Callable[..., Result]) -> None:
    result = run("db", "up")

    assert result.exit_code == 1
    assert "[database_elsewhere]" in result.stderr


def test_an_address_is_shown_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRID_DATABASE_URL", "postgresql://grid:hidden@db.example:5432/grid")

    result = CliRunner().invoke(main, ["db", "url"])

    assert result.stdout == "postgresql://grid@db.example:5432/grid\n"


def test_a_setting_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRID_PORT", "eighty")

    result = CliRunner().invoke(main, ["db", "status"])

    assert result.exit_code == 1
    assert "GRID_PORT" in result.stderr
