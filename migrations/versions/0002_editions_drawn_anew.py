"""editions drawn anew, lineage, places with rules of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('lineage',
    sa.Column('after_id', sa.Integer(), nullable=False),
    sa.Column('after_code', sa.String(length=15, collation='C'), nullable=False),
    sa.Column('before_id', sa.Integer(), nullable=False),
    sa.Column('before_code', sa.String(length=15, collation='C'), nullable=False),
    sa.Column('level', sa.Enum('district', 'town', 'community', 'building_group', name='gridlevel', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('area_share', sa.Double(), nullable=False),
    sa.Column('households', sa.Integer(), nullable=True),
    sa.Column('incident_share', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['after_id'], ['edition.id'], name=op.f('fk_lineage_after_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['before_id'], ['edition.id'], name=op.f('fk_lineage_before_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('after_id', 'after_code', 'before_id', 'before_code', name=op.f('pk_lineage'))
    )
    op.create_index('ix_lineage_before', 'lineage', ['before_id', 'before_code'], unique=False)
    op.add_column('edition', sa.Column('loaded_by', sa.Text(), nullable=True))
    op.add_column('edition', sa.Column('based_on_id', sa.Integer(), nullable=True))
    op.add_column('edition', sa.Column('operations', postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default='[]'))
    op.add_column('edition', sa.Column('open_cases', sa.Enum('follow', 'stay', name='opencases', native_enum=False, create_constraint=True, length=32), nullable=True))
    op.add_column('edition', sa.Column('took_effect_at', sa.DateTime(timezone=True), nullable=True))
    op.execute("update edition set took_effect_at = published_at where status in ('published', 'superseded')")
    op.create_foreign_key(op.f('fk_edition_based_on_id'), 'edition', 'edition', ['based_on_id'], ['id'], ondelete='SET NULL')
    op.add_column('grid', sa.Column('size_reason', sa.Text(), nullable=True))
    op.add_column('incident', sa.Column('overdue_grid_code', sa.String(length=15, collation='C'), nullable=True))
    op.add_column('incident', sa.Column('explanation', postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default='[]'))
    op.create_index('ix_incident_open_edition', 'incident', ['edition_id'], unique=False, postgresql_where=sa.text("status not in ('closed', 'rejected', 'merged', 'cancelled')"))
    op.add_column('responsibility', sa.Column('kind', sa.Enum('decided', 'exception', 'special_grid', 'listed', 'default', name='rulekind', native_enum=False, create_constraint=True, length=32), nullable=True))
    op.execute("update responsibility set kind = case when basis = 'default' then 'default' else 'listed' end")
    op.alter_column('responsibility', 'kind', nullable=False)
    op.add_column('responsibility', sa.Column('name', sa.Text(), nullable=True))
    op.add_geospatial_column('responsibility', sa.Column('boundary', Geometry(geometry_type='MULTIPOLYGON', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry'), nullable=True))
    op.add_column('responsibility', sa.Column('contact_name', sa.Text(), nullable=True))
    op.add_column('responsibility', sa.Column('contact_phone', sa.Text(), nullable=True))
    op.alter_column('responsibility', 'category_code',
               existing_type=sa.VARCHAR(length=8, collation='C'),
               nullable=True)
    op.alter_column('responsibility', 'lead',
               existing_type=sa.VARCHAR(length=16),
               nullable=True)
    op.create_geospatial_index('ix_responsibility_boundary', 'responsibility', ['boundary'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_check_constraint('lead', 'responsibility', "lead is not null or kind = 'special_grid'")
    op.create_check_constraint('everything', 'responsibility', 'category_code is not null or boundary is not null')
    op.drop_constraint(op.f('ck_incident_placement'), 'incident')
    op.create_check_constraint('placement', 'incident', "placement in ('inside', 'border', 'outside', 'manual', 'confirmed')")
    # what is overdue already became so where it lies
    op.execute('update incident set overdue_grid_code = grid_code where first_overdue_at is not null')


def downgrade() -> None:
    op.execute("update incident set placement = 'manual' where placement = 'confirmed'")
    op.drop_constraint(op.f('ck_incident_placement'), 'incident')
    op.create_check_constraint('placement', 'incident', "placement in ('inside', 'border', 'outside', 'manual')")
    # rules that the older schema has no words for
    op.execute('delete from responsibility where lead is null or category_code is null or boundary is not null')
    op.drop_constraint(op.f('ck_responsibility_everything'), 'responsibility')
    op.drop_constraint(op.f('ck_responsibility_lead'), 'responsibility')
    op.drop_geospatial_index('ix_responsibility_boundary', table_name='responsibility', postgresql_using='gist', column_name='boundary')
    op.alter_column('responsibility', 'lead',
               existing_type=sa.VARCHAR(length=16),
               nullable=False)
    op.alter_column('responsibility', 'category_code',
               existing_type=sa.VARCHAR(length=8, collation='C'),
               nullable=False)
    op.drop_column('responsibility', 'contact_phone')
    op.drop_column('responsibility', 'contact_name')
    op.drop_geospatial_column('responsibility', 'boundary')
    op.drop_column('responsibility', 'name')
    op.drop_column('responsibility', 'kind')
    op.drop_index('ix_incident_open_edition', table_name='incident', postgresql_where=sa.text("status not in ('closed', 'rejected', 'merged', 'cancelled')"))
    op.drop_column('incident', 'explanation')
    op.drop_column('incident', 'overdue_grid_code')
    op.drop_column('grid', 'size_reason')
    op.drop_constraint(op.f('fk_edition_based_on_id'), 'edition', type_='foreignkey')
    op.drop_column('edition', 'took_effect_at')
    op.drop_column('edition', 'open_cases')
    op.drop_column('edition', 'operations')
    op.drop_column('edition', 'based_on_id')
    op.drop_column('edition', 'loaded_by')
    op.drop_index('ix_lineage_before', table_name='lineage')
    op.drop_table('lineage')
