"""`gridwhistle messages`: what was sent to whom, and whether a way out works."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from api.cli.opening import AsJson, print_json, reading

if TYPE_CHECKING:
    from grids.deliveries import Logged

__all__ = ["commands"]

_Kind = TypeVar("_Kind", bound=StrEnum)

commands = typer.Typer(
    no_args_is_help=True, help="Messages that leave the house: the log, and a trial of a way."
)


@commands.command()
def log(
    status: Annotated[str | None, typer.Option(help="waiting, sending, sent or failed.")] = None,
    way: Annotated[str | None, typer.Option(help="email, sms, wecom, dingtalk or webhook.")] = None,
    person: Annotated[str | None, typer.Option(help="A login, or a part of a name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was sent to whom, when, and what became of it; addresses are masked."""
    from grids import deliveries
    from grids.rules.messages import DeliveryStatus, Way
    from grids.rules.permissions import SYSTEM

    with reading() as session:
        rows = deliveries.log(
            session,
            SYSTEM,
            status=_one_of(DeliveryStatus, status, "--status"),
            way=_one_of(Way, way, "--way"),
            name=person,
            limit=limit,
        )
    if as_json:
        print_json([_plain(row) for row in rows])
        return
    for row in rows:
        became = f"{row.status.value}{f' ({row.error})' if row.error else ''}"
        typer.echo(
            f"{row.made_at:%Y-%m-%d %H:%M}  {became:<24} {row.way.value:<9} {row.person}  {row.address}"
        )
    typer.echo(f"{len(rows)} sendings.")


def _plain(row: Logged) -> dict[str, object]:
    moments = ("made_at", "next_try_at", "sent_at", "read_at")
    kept = ("person", "way", "address", "subject", "messages", "status", "tries", "error")
    told = {name: (at.isoformat() if (at := getattr(row, name)) else None) for name in moments}
    return {"key": str(row.key), **{name: getattr(row, name) for name in kept}, **told}


def _one_of(kind: type[_Kind], text: str | None, option: str) -> _Kind | None:
    try:
        return kind(text) if text is not None else None
    except ValueError:
        raise typer.BadParameter(f"{text} is none of {', '.join(kind)}", param_hint=option) from None


@commands.command("test")
def try_way(
    way: Annotated[str, typer.Argument(help="email, sms, wecom, dingtalk or webhook.")],
    address: Annotated[str, typer.Argument(help="Where to send a line that says it is a test.")],
    language: Annotated[str, typer.Option(help="zh-CN or en.")] = "zh-CN",
) -> None:
    """Send one test at once, with the settings of this machine, and say what came of it. Exit 1 when it failed."""
    import secrets

    from api.clock import system_clock
    from api.senders import SendFailed, senders_of
    from api.settings import read_settings
    from api.wording import trial_words
    from gis.errors import InvalidInput
    from grids.outbox import Sending
    from grids.rules.messages import Way, check_address, delivery_key

    chosen = _one_of(Way, way, "WAY") or Way.EMAIL
    sender = senders_of(read_settings()).get(chosen)
    if sender is None:
        message = f"nobody is told by {chosen} here: see the settings in docs/reference/settings.md"
        raise InvalidInput("way_not_set_up", message, field="way", got=chosen.value)
    words = trial_words(language)
    key = delivery_key(system_clock(), secrets.token_bytes(10))
    try:
        sender.send(Sending(0, key, chosen, check_address(chosen, address), words.subject, words.body, 1))
    except SendFailed as failed:
        typer.echo(f"gridwhistle: not sent: {failed.reason}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"sent, {key}")
