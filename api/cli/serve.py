"""`gridwhistle serve` and `gridwhistle work`: the two processes of the running service."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["application", "serve", "work"]


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on, else GRID_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The port, else GRID_PORT.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer requests.")] = 1,
) -> None:
    """Serve pages and the JSON interface until stopped."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from api.database import make_ready, open_database
    from api.logs import configure
    from api.settings import read_settings

    settings = read_settings()
    configure(level=logging.getLevelNamesMapping()[settings.log_level])
    with open_database(settings) as database:
        # Held while serving: between two workers that restart, the private cluster stays up.
        make_ready(database)
        database.engine.dispose()
        config = uvicorn.Config(
            "api.cli.serve:application",
            factory=True,
            host=host or settings.host,
            port=port or settings.port,
            workers=workers,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
        with contextlib.suppress(KeyboardInterrupt):
            if workers == 1:
                server = uvicorn.Server(config)
                server.run()
                if not server.started:
                    raise typer.Exit(1)
            else:
                door = config.bind_socket()
                # inherited by each connection; without it a small answer waits 40 ms for the head's receipt
                door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Multiprocess(config, sockets=[door]).run()


def application() -> FastAPI:
    """Return the application of one server process: its entry point, so it reads the environment itself."""
    from api.app import create_app
    from api.clock import system_clock
    from api.database import open_database
    from api.logs import configure
    from api.settings import read_settings

    _end_with_parent()
    settings = read_settings()
    configure(level=logging.getLevelNamesMapping()[settings.log_level])
    # Open as long as this process: when it ends, however it ends, its connections and its lease go with it.
    return create_app(settings, clock=system_clock, database=open_database(settings), warm=True)


def _end_with_parent() -> None:
    """Stop this server process when the one that started it is gone, even by kill -9: no orphan serves on."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()


def work() -> None:
    """Fire deadlines, send messages and do long jobs until stopped; any number may run at once."""
    from api.clock import system_clock
    from api.database import make_ready, open_database
    from api.logs import configure
    from api.settings import read_settings
    from api.worker import run_until_signalled

    settings = read_settings()
    configure(level=logging.getLevelNamesMapping()[settings.log_level])
    with open_database(settings) as database:
        make_ready(database)
        run_until_signalled(database, system_clock, settings)
