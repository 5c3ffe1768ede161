"""What an operator may set, from variables of the environment that begin with GRID_.

Read once, in the entry point, and passed down; importing this module reads nothing. There is no secret
here but the password that a database address may hold, and that is never shown. Limits, calendars, weights
and categories are not settings: they are dated rows in tables, so that past figures stay reproducible.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gis.errors import InvalidInput

__all__ = ["Settings", "read_settings"]

_DRIVER = "postgresql+psycopg://"


class Settings(BaseSettings):
    """The settings of one running service; frozen, and safe to log."""

    model_config = SettingsConfigDict(env_prefix="GRID_", env_ignore_empty=True, frozen=True, extra="ignore")

    timezone: ClassVar[ZoneInfo] = ZoneInfo("Asia/Shanghai")
    """The time zone of everything shown; times are stored and computed in UTC."""

    database_url: str | None = Field(
        default=None,
        repr=False,
        description="A PostGIS that runs elsewhere, as postgresql://user:password@host:5432/name. "
        "Without it the service runs a private one from the machine's own PostgreSQL programs.",
    )
    data_dir: Path | None = Field(
        default=None,
        description="Where the private PostGIS keeps its files. By default /var/lib/gridwhistle for root, "
        "~/.local/share/gridwhistle for others.",
    )
    pg_bin: Path | None = Field(
        default=None,
        description="The directory of the PostgreSQL programs to use; by default the newest with PostGIS.",
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on; 0.0.0.0 for every network.")
    port: int = Field(default=8080, ge=1, le=65535, description="The port to listen on.")
    secure_cookies: bool = Field(
        default=False,
        description="Send the login cookie over HTTPS only: set it behind a proxy that speaks HTTPS.",
    )
    session_idle_minutes: int = Field(default=30, ge=1, description="A login ends when unused for so long.")
    session_hours: int = Field(default=12, ge=1, description="A login ends after so long in any case.")
    statement_timeout_seconds: int = Field(
        default=30, ge=1, description="The database gives up on one statement after so long."
    )
    pool_size: int = Field(
        default=5,
        ge=1,
        le=50,
        description="Database connections that one process keeps; it may open as many again.",
    )
    worker_poll_seconds: float = Field(
        default=5.0, gt=0, le=60, description="How often the worker looks for deadlines that are due."
    )
    forbid_gcj_inverse: bool = Field(
        default=False,
        description="Refuse coordinates in GCJ-02 and BD-09 wherever they come in, since taking them in means to "
        "convert them back to true ones, which the law may reserve to others. Nothing of them is converted; maps may "
        "still be written in GCJ-02.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO",
        description="The least serious message to log; one JSON object a line on standard error.",
    )

    @field_validator("database_url")
    @classmethod
    def _name_the_driver(cls, given: str | None) -> str | None:
        """Accept the address as libpq writes it, and name the driver that we come with."""
        if given is None:
            return None
        scheme, separator, rest = given.partition("://")
        if not separator or scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
            raise ValueError("an address of the form postgresql://user:password@host:5432/name is wanted")
        return _DRIVER + rest


def read_settings() -> Settings:
    """Read the environment; raises `InvalidInput` that names each variable which cannot be used.

    Values are not repeated in the message: a database address may hold a password.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = [(f"GRID_{'_'.join(map(str, f['loc'])).upper()}", f["msg"]) for f in error.errors()]
        message = "; ".join(f"{name}: {reason}" for name, reason in faults)
        raise InvalidInput("setting_refused", message, variables=[name for name, _ in faults]) from None
