"""The history of the schema, for Alembic; `python -m migrations` writes the next revision."""
