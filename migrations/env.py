"""What Alembic runs for each command; the connection is handed to it by `api.database`."""

from __future__ import annotations

from alembic import context
from geoalchemy2 import alembic_helpers

from grids.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # Geometry columns and their indexes are compared and written as such; PostGIS's own tables are left out.
    include_object=alembic_helpers.include_object,
    process_revision_directives=alembic_helpers.writer,
    render_item=alembic_helpers.render_item,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
