"""Write the next revision, or check that none is wanted, against a throw-away database.

    python -m migrations "incidents keep the address as written"     migrations/versions/0007_....py
    python -m migrations --check                                     exit 1 when tables and revisions differ

What autogenerate wrote is a draft: read it, and write the data's own move by hand.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from api.cluster import Cluster
from api.database import make_engine, migrate, migrations

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m migrations", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("message", nargs="?", help="what the revision does, in a few words")
    parser.add_argument("--check", action="store_true", help="only compare the tables with the revisions")
    asked = parser.parse_args()
    if asked.check == bool(asked.message):
        parser.error("give either a message or --check")
    place = Path(tempfile.mkdtemp(prefix="gridwhistle-migrations-"))
    place.chmod(0o755)  # the database may run as another user than root
    cluster = Cluster(place / "pg", fast=True).start()
    engine = make_engine(cluster.url())
    try:
        migrate(engine)
        config = migrations()
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            if asked.check:
                command.check(config)
            else:
                known = len(list(ScriptDirectory.from_config(config).walk_revisions()))
                command.revision(config, asked.message, autogenerate=True, rev_id=f"{known + 1:04d}")
    except CommandError as error:
        raise SystemExit(str(error)) from error
    finally:
        engine.dispose()
        cluster.release()
        cluster.stop()
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
