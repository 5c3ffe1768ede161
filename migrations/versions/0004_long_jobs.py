"""long jobs: the queue's own schema, and what people asked for.

The queue is procrastinate's; its schema is the one that the installed library brings. When a later release of
the library brings changes, they come as a revision of ours that runs the library's own migration files.
"""

from __future__ import annotations

from importlib import resources

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def run_as_written(script: str) -> None:
    """Run a file of SQL as it stands: neither ':' nor '%' mean anything in it."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    run_as_written((resources.files('procrastinate') / 'sql' / 'schema.sql').read_text('utf-8'))
    op.create_table('long_job',
    sa.Column('key', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('args', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('file_name', sa.Text(), nullable=True),
    sa.Column('media_type', sa.Text(), nullable=True),
    sa.Column('content', sa.LargeBinary(), nullable=True),
    sa.Column('forget_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_long_job_person_id')),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_long_job'))
    )
    op.create_index(op.f('ix_long_job_person_id'), 'long_job', ['person_id'], unique=False)
    op.create_index(op.f('ix_long_job_forget_at'), 'long_job', ['forget_at'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_long_job_forget_at'), table_name='long_job')
    op.drop_index(op.f('ix_long_job_person_id'), table_name='long_job')
    op.drop_table('long_job')
    # whatever the library's release at hand had made, by the name that all of it begins with
    run_as_written("""
        do $$
        declare thing text;
        begin
            for thing in select tablename from pg_tables
                where schemaname = current_schema() and tablename like 'procrastinate\\_%' loop
                execute format('drop table if exists %I cascade', thing);
            end loop;
            for thing in select p.oid::regprocedure::text from pg_proc p
                where p.pronamespace = current_schema()::regnamespace and p.proname like 'procrastinate\\_%' loop
                execute 'drop function if exists ' || thing || ' cascade';
            end loop;
            for thing in select typname from pg_type
                where typnamespace = current_schema()::regnamespace and typname like 'procrastinate\\_%' loop
                execute format('drop type if exists %I cascade', thing);
            end loop;
        end $$
    """)
