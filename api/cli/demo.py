"""`gridwhistle demo`: a made-up district with a year of cases, served by one process with its worker beside it."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.opening import patient, progress
from gis.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.database import Database
    from api.settings import Settings
    from grids.ground.contents import KnownLogin

__all__ = ["demo"]

_SEED = 1
_PORTS_TRIED = 20
_SHUTDOWN_SECONDS = 5


class Size(StrEnum):
    """How big the made-up city is, as `grids.demo.Scale`, whose package is not loaded for --help."""

    TINY = "tiny"
    DISTRICT = "district"
    CITY = "city"


def demo(
    scale: Annotated[
        Size | None,
        typer.Option(
            help="tiny: two towns; district (by default): 4,649 cases; city: 10 districts, 290,000."
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="By default GRID_PORT, or the next one that is free.")
    ] = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Only make the data.")] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Make it anew; refused where there is data that no demo made.")
    ] = False,
) -> None:
    """Make a district that does not exist, once, and serve it until stopped; prints address and logins.

    Everything runs in this process: web server, worker and, unless GRID_DATABASE_URL is set, a lease on the
    private PostGIS, which stops after its last user. Nothing is left running.
    """
    from api.database import busy_is_unavailable, migrate, open_database
    from api.logs import configure
    from api.settings import read_settings

    settings = read_settings()
    configure(level=logging.WARNING)
    with _ended_by_sigterm():
        door = None if no_serve else _listen(settings.host, port or settings.port, exact=port is not None)
        with open_database(settings) as database:
            migrate(database.engine)
            with busy_is_unavailable():
                logins = _prepare(settings, database, scale, reset)
            if door is None:
                typer.echo("the demo is made; gridwhistle demo serves it")
            else:
                _serve(settings, database, door, logins)


def _prepare(settings: Settings, database: Database, scale: Size | None, reset: bool) -> list[KnownLogin]:
    """Make the city unless it is there already; return whom one can sign in as."""
    from api.clock import system_clock
    from api.wording import renderer
    from grids.demo import Scale, make
    from grids.ground import contents

    with database.sessions() as session:
        patient(session)
        if reset:
            contents.empty_demo(session)
        found = contents.contents_of(session)
        if found.demo is None and found.own:
            raise Conflict(
                "not_a_demo",
                "this database holds data that no demo made, and a demo does not mix with it: use another one "
                "(GRID_DATA_DIR or GRID_DATABASE_URL)",
            )
        if found.demo is not None and scale is not None and f":{scale}:" not in found.demo:
            raise Conflict(
                "demo_other_scale",
                f"the demo in this database is {found.demo.split(':')[1]}: add --reset to make it {scale}",
                got=scale.value,
            )
        if found.demo is None:
            wanted = Scale((scale or Size.DISTRICT).value)
            typer.echo(f"making the demo ({wanted.value}), once", err=True)
            with progress(None, " cases", "making") as bar:

                def tell(done: int, total: int, what: str) -> None:
                    bar.total = total
                    bar.set_description(what, refresh=False)
                    bar.update(done - bar.n)

                make(
                    session,
                    scale=wanted,
                    seed=_SEED,
                    now=system_clock(),
                    progress=tell,
                    render=renderer(settings.public_url),
                )
        logins = contents.shared_logins(session)
        session.commit()
    return logins


def _listen(host: str, port: int, *, exact: bool) -> socket.socket:
    """Return a socket that listens on the port, or with exact=False on the first free one after it.

    Raises `Unavailable` ("port_taken").
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + (1 if exact else _PORTS_TRIED), 65536)):
        # asyncio sends small answers at once (TCP_NODELAY) only where the socket says that it is TCP: else each
        # waits 40 ms for the other side to acknowledge its head
        door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, candidate))
            door.listen()
        except OSError as refused:
            door.close()
            if refused.errno != errno.EADDRINUSE:
                raise Unavailable(
                    "port_taken",
                    f"{host}, port {candidate}, cannot be listened on: {refused.strerror}",
                    got=candidate,
                ) from None
            continue
        if candidate != port:
            typer.echo(f"port {port} is taken; using {candidate}", err=True)
        return door
    raise Unavailable("port_taken", f"port {port} is taken: choose another one with --port", got=port)


def _serve(settings: Settings, database: Database, door: socket.socket, logins: Sequence[KnownLogin]) -> None:
    """Serve until a signal comes; then end the worker too."""
    import uvicorn

    from api import worker
    from api.app import create_app
    from api.clock import system_clock

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                _tell(door, logins)

    server = Server(
        uvicorn.Config(
            create_app(settings, clock=system_clock, database=database, warm=True),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
    )
    stop = threading.Event()
    beside = threading.Thread(
        target=worker.run_all,
        args=(database, system_clock, settings),
        kwargs={"stop": stop},
        name="worker",
    )
    beside.start()
    try:
        server.run(sockets=[door])
    except KeyboardInterrupt:
        pass  # uvicorn hands the signal on after it has ended in order
    finally:
        stop.set()
        beside.join()
        door.close()
    typer.echo("stopped", err=True)


def _tell(door: socket.socket, logins: Sequence[KnownLogin]) -> None:
    from grids.demo import PASSWORD

    host, port = door.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    typer.echo(f"\nhttp://{shown}:{port}/\n")
    typer.echo(f"Sign in as one of these; the password of all is {PASSWORD}\n")
    seen = set()
    departments = [login.login for login in logins if login.department]
    for login in logins:
        if login.role not in seen:
            seen.add(login.role)
            of = f" ({login.department})" if login.department else ""
            typer.echo(f"  {login.login:<12}{login.role.value + of:<26}{login.name}")
    if len(departments) > 1:
        typer.echo(f"\nThe other departments: {', '.join(departments[1:])}")
    typer.echo("\nCtrl-C stops everything.")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that everything is given back in order."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
