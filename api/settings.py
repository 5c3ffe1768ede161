"""What an operator may set, from variables of the environment that begin with GRID_.

Read once, in the entry point, and passed down; importing this module reads nothing. The secrets among them (the
password that a database address may hold, those of the ways to send messages) are never shown. Limits, calendars,
weights and categories are not settings: they are dated rows in tables, so that past figures stay reproducible.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Network, IPv6Network, ip_network
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
        default=1.0, gt=0, le=60, description="How often the worker looks for deadlines that are due."
    )
    warm_months: int = Field(
        default=13,
        ge=0,
        le=240,
        description="How many months of cases, the present one among them, each process that answers requests reads "
        "into memory when it begins, so that no first figure waits for them; 13 hold a year. 0 for none.",
    )
    metrics: Literal["local", "open", "off"] = Field(
        default="local",
        description="Who may read /metrics: local for programs on this machine, open for everybody who reaches the "
        "port, off for nobody.",
    )
    forbid_gcj_inverse: bool = Field(
        default=False,
        description="Refuse coordinates in GCJ-02 and BD-09 wherever they come in, since taking them in means to "
        "convert them back to true ones, which the law may reserve to others. Nothing of them is converted; maps may "
        "still be written in GCJ-02.",
    )
    pdf_font: Path | None = Field(
        default=None,
        description="A font file with Chinese glyphs (.ttf or .ttc) for papers; by default the one of the system, "
        "such as fonts-wqy-microhei.",
    )
    public_url: str | None = Field(
        default=None,
        description="The address at which people reach the service, such as https://grid.example.org: messages that "
        "leave the house lead back to it. Without it they name the case and lead nowhere.",
    )
    mail_host: str | None = Field(
        default=None, description="The SMTP server that mail goes out by; without it nobody is told by mail."
    )
    mail_port: int = Field(default=587, ge=1, le=65535, description="The port of the SMTP server.")
    mail_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the way to the SMTP server is kept secret: starttls (port 587), tls from the first byte "
        "(port 465), or none, for a server on this machine.",
    )
    mail_user: str | None = Field(
        default=None, description="The user at the SMTP server, where it wants one."
    )
    mail_password: str | None = Field(
        default=None, repr=False, description="The password at the SMTP server."
    )
    mail_from: str = Field(
        default="gridwhistle@localhost",
        description="The address that mail comes from; its host is in Message-IDs.",
    )
    sms_url: str | None = Field(
        default=None,
        description="Where the gateway for text messages takes a POST; without it nobody is told by text message.",
    )
    sms_body: str = Field(
        default='{"phone": "{phone}", "text": "{text}", "id": "{key}"}',
        description="The JSON that the gateway wants; {phone}, {text} and {key} are filled in wherever they stand.",
    )
    sms_authorization: str | None = Field(
        default=None, repr=False, description="The Authorization header that the gateway wants."
    )
    webhook_secret: str | None = Field(
        default=None,
        repr=False,
        description="What webhooks are signed with (HMAC-SHA256); without it nobody is told by a webhook of their own.",
    )
    outgoing_hosts: str = Field(
        default="oapi.dingtalk.com,qyapi.weixin.qq.com",
        description="The hosts that robots and webhooks of people may name, with commas between; *.example.org stands "
        "for all below. The host of GRID_SMS_URL need not stand here.",
    )
    outgoing_networks: str = Field(
        default="",
        description="Networks of your own, such as 10.20.0.0/16, that messages may be sent to, with commas between. "
        "All others that are not public are refused, whatever name leads there.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO",
        description="The least serious message to log; one JSON object a line on standard error.",
    )

    @field_validator("sms_body")
    @classmethod
    def _is_json(cls, given: str) -> str:
        """Refuse what is no JSON."""
        json.loads(given)
        return given

    @field_validator("outgoing_networks")
    @classmethod
    def _are_networks(cls, given: str) -> str:
        """Refuse what is no network while the operator still looks, not when the first message goes out."""
        _networks(given)
        return given

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The hosts of `outgoing_hosts`, in lower case."""
        return tuple(host.strip().lower() for host in self.outgoing_hosts.split(",") if host.strip())

    @property
    def allowed_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `outgoing_networks`."""
        return _networks(self.outgoing_networks)

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


def _networks(given: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in given.split(",") if part.strip())


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
