"""recurrent problem points: places, what is done about them, campaigns, and rain."""

from __future__ import annotations

import geoalchemy2
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('rain_reading',
    sa.Column('district_code', sa.String(length=6, collation='C'), nullable=False),
    sa.Column('gauge', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('minutes', sa.Integer(), nullable=False),
    sa.Column('mm', sa.Numeric(precision=7, scale=2), nullable=False),
    sa.CheckConstraint('minutes > 0', name=op.f('ck_rain_reading_minutes')),
    sa.CheckConstraint('mm >= 0', name=op.f('ck_rain_reading_mm')),
    sa.PrimaryKeyConstraint('district_code', 'gauge', 'at', name=op.f('pk_rain_reading'))
    )
    op.create_table('campaign',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('number', sa.String(length=24, collation='C'), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('area_code', sa.String(length=15, collation='C'), nullable=False),
    sa.Column('category_code', sa.String(length=8, collation='C'), nullable=True),
    sa.Column('goal', sa.Text(), nullable=False),
    sa.Column('lead', sa.String(length=16), nullable=False),
    sa.Column('from_on', sa.Date(), nullable=False),
    sa.Column('until_on', sa.Date(), nullable=False),
    sa.Column('begun_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('begun_by_id', sa.Integer(), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_by_id', sa.Integer(), nullable=True),
    sa.Column('result', sa.Text(), nullable=True),
    sa.CheckConstraint('until_on >= from_on', name=op.f('ck_campaign_days')),
    sa.ForeignKeyConstraint(['begun_by_id'], ['person.id'], name=op.f('fk_campaign_begun_by_id')),
    sa.ForeignKeyConstraint(['category_code'], ['category.code'], name=op.f('fk_campaign_category_code')),
    sa.ForeignKeyConstraint(['ended_by_id'], ['person.id'], name=op.f('fk_campaign_ended_by_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_campaign')),
    sa.UniqueConstraint('number', name=op.f('uq_campaign_number'))
    )
    op.create_table('place',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('number', sa.String(length=24, collation='C'), nullable=False),
    sa.Column('category_code', sa.String(length=8, collation='C'), nullable=False),
    sa.Column('grid_code', sa.String(length=15, collation='C'), nullable=False),
    sa.Column('edition_id', sa.Integer(), nullable=False),
    sa.Column('point', geoalchemy2.types.Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry'), nullable=False),
    sa.Column('radius_m', sa.Integer(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('status', sa.Enum('suspected', 'confirmed', 'treating', 'treated', 'cured', 'returned', 'dismissed', name='placestatus', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('found_how', sa.Enum('rule', 'person', name='foundhow', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('found_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('times', sa.Integer(), nullable=False),
    sa.Column('first_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('confirmed_by_id', sa.Integer(), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('cause', sa.Text(), nullable=True),
    sa.Column('measure', sa.Text(), nullable=True),
    sa.Column('lead', sa.String(length=16), nullable=True),
    sa.Column('cooperating', postgresql.JSONB(astext_type=sa.Text()), server_default='[]', nullable=False),
    sa.Column('due_on', sa.Date(), nullable=True),
    sa.Column('planned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('treated_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('result', sa.Text(), nullable=True),
    sa.Column('quiet_days', sa.Integer(), nullable=False),
    sa.Column('cured_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('returned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('returns', sa.Integer(), server_default='0', nullable=False),
    sa.Column('step_seq', sa.Integer(), server_default='0', nullable=False),
    sa.Column('step_hash', sa.LargeBinary(length=32), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.CheckConstraint("status not in ('treating', 'treated') or lead is not null", name=op.f('ck_place_lead')),
    sa.CheckConstraint('radius_m > 0', name=op.f('ck_place_radius')),
    sa.CheckConstraint('times >= 0 and returns >= 0', name=op.f('ck_place_times')),
    sa.ForeignKeyConstraint(['category_code'], ['category.code'], name=op.f('fk_place_category_code')),
    sa.ForeignKeyConstraint(['confirmed_by_id'], ['person.id'], name=op.f('fk_place_confirmed_by_id')),
    sa.ForeignKeyConstraint(['edition_id'], ['edition.id'], name=op.f('fk_place_edition_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_place')),
    sa.UniqueConstraint('number', name=op.f('uq_place_number'))
    )
    op.create_index('ix_place_category_code', 'place', ['category_code'], unique=False)
    op.create_index('ix_place_grid_code_status', 'place', ['grid_code', 'status'], unique=False)
    op.create_index('ix_place_point', 'place', ['point'], unique=False, postgresql_using='gist')
    op.create_index('ix_place_quiet', 'place', ['treated_at'], unique=False, postgresql_where=sa.text("status = 'treated'"))
    op.create_table('campaign_place',
    sa.Column('campaign_id', sa.BigInteger(), nullable=False),
    sa.Column('place_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaign.id'], name=op.f('fk_campaign_place_campaign_id')),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], name=op.f('fk_campaign_place_place_id')),
    sa.PrimaryKeyConstraint('campaign_id', 'place_id', name=op.f('pk_campaign_place'))
    )
    op.create_index(op.f('ix_campaign_place_place_id'), 'campaign_place', ['place_id'], unique=False)
    op.create_table('place_incident',
    sa.Column('place_id', sa.BigInteger(), nullable=False),
    sa.Column('incident_id', sa.BigInteger(), nullable=False),
    sa.Column('joined_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('episode_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['incident_id'], ['incident.id'], name=op.f('fk_place_incident_incident_id')),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], name=op.f('fk_place_incident_place_id')),
    sa.PrimaryKeyConstraint('place_id', 'incident_id', name=op.f('pk_place_incident')),
    sa.UniqueConstraint('incident_id', name=op.f('uq_place_incident_incident_id'))
    )
    op.create_table('place_photo',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('place_id', sa.BigInteger(), nullable=False),
    sa.Column('side', sa.Enum('before', 'after', name='photoside', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('added_by_id', sa.Integer(), nullable=True),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(length=32), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['added_by_id'], ['person.id'], name=op.f('fk_place_photo_added_by_id')),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], name=op.f('fk_place_photo_place_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_place_photo')),
    sa.UniqueConstraint('place_id', 'sha256', name=op.f('uq_place_photo_place_id_sha256'))
    )
    op.create_table('place_step',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('place_id', sa.BigInteger(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor_id', sa.Integer(), nullable=True),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('unit', sa.Text(), nullable=False),
    sa.Column('row', sa.String(length=8), nullable=False),
    sa.Column('action', sa.String(length=32), nullable=False),
    sa.Column('from_state', sa.String(length=32), nullable=True),
    sa.Column('to_state', sa.String(length=32), nullable=False),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('previous_hash', sa.LargeBinary(length=32), nullable=True),
    sa.Column('hash', sa.LargeBinary(length=32), nullable=False),
    sa.ForeignKeyConstraint(['actor_id'], ['person.id'], name=op.f('fk_place_step_actor_id')),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], name=op.f('fk_place_step_place_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_place_step')),
    sa.UniqueConstraint('place_id', 'seq', name=op.f('uq_place_step_place_id_seq'))
    )
    # an import asks whether any case of its source is there; a history of millions has hardly any merged case
    op.alter_column('incident', 'source_key', existing_type=sa.Text(), type_=sa.Text(collation='C'), existing_nullable=True)
    op.drop_index('ix_incident_master_id', table_name='incident')
    op.create_index('ix_incident_master_id', 'incident', ['master_id'], unique=False, postgresql_where=sa.text('master_id is not null'))


def downgrade() -> None:
    op.drop_index('ix_incident_master_id', table_name='incident', postgresql_where=sa.text('master_id is not null'))
    op.create_index('ix_incident_master_id', 'incident', ['master_id'], unique=False)
    op.alter_column('incident', 'source_key', existing_type=sa.Text(collation='C'), type_=sa.Text(), existing_nullable=True)
    # what the older schema has no words for
    op.execute("delete from message where template like 'place.%'")
    op.drop_table('place_step')
    op.drop_table('place_photo')
    op.drop_table('place_incident')
    op.drop_index(op.f('ix_campaign_place_place_id'), table_name='campaign_place')
    op.drop_table('campaign_place')
    op.drop_index('ix_place_quiet', table_name='place')
    op.drop_index('ix_place_point', table_name='place')
    op.drop_index('ix_place_grid_code_status', table_name='place')
    op.drop_index('ix_place_category_code', table_name='place')
    op.drop_table('place')
    op.drop_table('campaign')
    op.drop_table('rain_reading')
