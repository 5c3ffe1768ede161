"""Settings come from GRID_ variables, once, and are told apart from secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import Settings, read_settings
from gis.errors import InvalidInput


def test_without_any_variable_the_service_listens_on_this_machine_only() -> None:
    settings = read_settings()

    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.database_url is None


def test_a_variable_sets_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRID_DATA_DIR", "/srv/grid")
    monkeypatch.setenv("GRID_SESSION_IDLE_MINUTES", "15")

    settings = read_settings()

    assert settings.data_dir == Path("/srv/grid")
    assert settings.session_idle_minutes == 15


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRID_DATABASE_URL", "")
    monkeypatch.setenv("GRID_PORT", "")

    settings = read_settings()

    assert settings.database_url is None
    assert settings.port == 8080


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_database_address_may_be_written_as_other_programs_write_it(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("GRID_DATABASE_URL", f"{scheme}://grid:pass@db:5432/grid")

    assert read_settings().database_url == "postgresql+psycopg://grid:pass@db:5432/grid"


def test_a_refused_variable_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRID_DATABASE_URL", "mysql://grid:hidden@db/grid")
    monkeypatch.setenv("GRID_PORT", "eighty")

    with pytest.raises(InvalidInput, match=r"GRID_DATABASE_URL: .*GRID_PORT: ") as refused:
        read_settings()

    assert refused.value.code == "setting_refused"
    assert refused.value.facts["variables"] == ["GRID_DATABASE_URL", "GRID_PORT"]
    assert "hidden" not in str(refused.value)


def test_a_logged_settings_object_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRID_DATABASE_URL", "postgresql://grid:hidden@db/grid")

    assert "hidden" not in repr(read_settings())


def test_settings_do_not_change_while_the_service_runs() -> None:
    with pytest.raises(ValidationError):
        read_settings().port = 1  # type: ignore[misc]


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_setting_stands_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text()

    assert [name for name in Settings.model_fields if f"`GRID_{name.upper()}`" not in page] == []


def test_times_are_shown_as_in_the_district() -> None:
    assert str(read_settings().timezone) == "Asia/Shanghai"
