"""The PostgreSQL programs of this machine: where they are, and the user who runs a server with them."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from gis.errors import Unavailable

__all__ = ["ServerUser", "choose_programs", "client_programs", "installed_programs"]

_PLACES = (
    ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
    ("/usr", "pgsql-*/bin"),  # Red Hat
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)


def installed_programs() -> dict[int, Path]:
    """Return the bin directories that hold a PostgreSQL server with PostGIS, by major version."""
    places = [place for root, pattern in _PLACES for place in sorted(Path(root).glob(pattern))]
    if (initdb := shutil.which("initdb")) is not None:
        places.append(Path(initdb).resolve().parent)
    found: dict[int, Path] = {}
    for place in places:
        if (major := _postgis_major(place)) is not None:
            found.setdefault(major, place)
    return found


def client_programs(major: int) -> Path | None:
    """Return the bin directory with pg_dump of a major version, None when that version is not here."""
    for root, pattern in _PLACES:
        for place in Path(root).glob(pattern.replace("*", str(major))):
            if (place / "pg_dump").exists():
                return place
    return None


def choose_programs(wanted: Path | None, made_by: int | None) -> Path:
    """Return the bin directory to run a cluster with.

    wanted : the one that was asked for, None to look for it.
    made_by : the major version that made the cluster; None, for a new one, takes the newest.
    Raises `Unavailable` when there is no PostGIS, or only one of another version.
    """
    found = installed_programs()
    if wanted is not None:
        major = _postgis_major(wanted)
        found = {} if major is None else {major: wanted}
    if not found:
        message = (
            f"no PostgreSQL with PostGIS found{f' in {wanted}' if wanted else ''}: install it (Debian and "
            "Ubuntu: apt-get install postgresql-postgis; macOS: brew install postgis), "
            "or set GRID_DATABASE_URL to a PostGIS that runs elsewhere"
        )
        raise Unavailable("postgis_missing", message)
    if made_by is None:
        return found[max(found)]
    if made_by not in found:
        message = (
            f"the database was made by PostgreSQL {made_by}, installed with PostGIS is "
            f"{', '.join(map(str, sorted(found)))}: install version {made_by} beside it, "
            "or back up with the old version and restore with the new one"
        )
        raise Unavailable("cluster_other_version", message, got=made_by, wanted=sorted(found))
    return found[made_by]


class ServerUser:
    """The user whom a server runs as: ourselves, or for root the system user `postgres` of its package."""

    def __init__(self) -> None:
        """Find the user; raises `Unavailable` when root has no such user to run the server as."""
        self._drop: dict[str, Any] = {}
        self.uid = os.geteuid()
        if self.uid != 0:
            self.name = pwd.getpwuid(self.uid).pw_name
            return
        try:
            found = pwd.getpwnam("postgres")
        except KeyError as error:
            message = "PostgreSQL does not run as root, and there is no user postgres: install its package"
            raise Unavailable("postgis_missing", message) from error
        self.name, self.uid = found.pw_name, found.pw_uid
        groups = os.getgrouplist(found.pw_name, found.pw_gid)
        self._drop = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": groups}

    def run(
        self, programs: Path, program: str, *arguments: str | Path, locale: str, **how: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of `programs` or of the system, as this user and with a clean environment."""
        path = f"{programs}:/usr/local/bin:/usr/bin:/bin"
        command = [shutil.which(program, path=path) or program, *map(str, arguments)]
        environment = {"PATH": path, "LC_ALL": locale, "TZ": "UTC"}
        return subprocess.run(
            command, capture_output=True, text=True, cwd="/", env=environment, **how, **self._drop
        )

    def make_directory(self, path: Path) -> None:
        """Make a directory that only this user may enter; raises `Unavailable` when it is somebody else's."""
        for above in reversed(path.parents):
            if not above.exists():
                above.mkdir(exist_ok=True)
                if self._drop:
                    above.chmod(0o755)  # whatever root's umask: this user must pass through
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), self.uid}:
            message = f"{path} is not a directory of the user {self.name}: remove or rename it"
            raise Unavailable("data_dir_refused", message, got=str(path))
        path.chmod(0o700)
        if self._drop:
            os.chown(path, self.uid, self._drop["group"])

    def write(self, path: Path, text: str, append: bool = False) -> None:
        """Write a file that only this user may read."""
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
        with os.fdopen(os.open(path, flags, 0o600), "w") as file:
            self.give(file.fileno())
            file.write(text)

    def give(self, descriptor: int) -> None:
        """Hand an open file that root made to this user."""
        if self._drop:
            os.fchown(descriptor, self.uid, self._drop["group"])


def _postgis_major(place: Path) -> int | None:
    """Return the major version of the programs in `place`, None unless PostGIS is there too."""
    if not ((place / "initdb").exists() and (place / "pg_config").exists()):
        return None
    told = subprocess.run([place / "pg_config", "--pkglibdir", "--version"], capture_output=True, text=True)
    library, _, version = told.stdout.strip().partition("\n")
    # The library itself: Debian keeps the .control files in a package of their own that may stay behind.
    if not any((Path(library) / f"postgis-3.{ending}").exists() for ending in ("so", "dylib")):
        return None
    number = re.search(r"\d+", version)
    return int(number[0]) if number else None
