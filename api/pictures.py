"""A page as a picture: Debian's Chromium opens one self-contained file, without a network, and photographs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from gis.errors import Unavailable

__all__ = ["browser", "photograph"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60
_SETTLE_MS = 4000  # of the page's own clock, which runs as fast as it can

_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--mute-audio",
    "--proxy-server=127.0.0.1:9",  # nobody listens there: whatever the page holds, it reaches no host
    "--proxy-bypass-list=<-loopback>",
    f"--virtual-time-budget={_SETTLE_MS}",
)


def browser() -> str:
    """Return the path of Chromium. Raises `Unavailable` ("chromium_missing") where there is none."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise Unavailable(
            "chromium_missing",
            "a picture is made by Chromium, which is not installed here: apt-get install chromium, or write .html",
        )
    return found


def photograph(html: str, path: Path, *, width: int = 1280, height: int = 900) -> None:
    """Write a picture (PNG) of a page of `width` times `height` pixels that needs no other file.

    Raises `Unavailable`: "chromium_missing", or "chromium_failed" with the end of what it said.
    """
    program = browser()
    with tempfile.TemporaryDirectory(prefix="gridwhistle-picture-") as directory:
        work = Path(directory)
        page, picture = work / "page.html", work / "picture.png"
        page.write_text(html, "utf-8")
        command = [
            program,
            *_FLAGS,
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium refuses root a sandbox
            f"--user-data-dir={work / 'profile'}",
            f"--window-size={width},{height}",
            f"--screenshot={picture}",
            page.as_uri(),
        ]
        environment = {
            **os.environ,
            "HOME": str(work),
            "XDG_CACHE_HOME": str(work),
            "XDG_CONFIG_HOME": str(work),
        }
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, env=environment
            )
            said = done.stderr
        except subprocess.TimeoutExpired:
            said = f"it took longer than {_SECONDS} s"
        if not picture.is_file():
            raise Unavailable("chromium_failed", f"Chromium made no picture: {said.strip()[-300:]}")
        shutil.copyfile(picture, path)
