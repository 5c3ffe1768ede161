"""What Alembic runs for each command; the connection is handed to it by `api.database`."""

from __future__ import annotations

from typing import Any

from alembic import context
from geoalchemy2 import alembic_helpers

from grids.tables import Base


def ours(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """Leave out what libraries keep for themselves: PostGIS, and the queue of long jobs."""
    if kind == "table" and (name or "").startswith("procrastinate_"):
        return False
    return bool(alembic_helpers.include_object(thing, name, kind, reflected, other))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # Geometry columns and their indexes are compared and written as such.
    include_object=ours,
    process_revision_directives=alembic_helpers.writer,
    render_item=alembic_helpers.render_item,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
