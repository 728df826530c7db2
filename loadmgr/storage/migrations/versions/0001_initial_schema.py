"""initial schema"""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('alarms',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('key', sa.String(length=160), nullable=False),
    sa.Column('raised_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('cleared_at_ms', sa.BigInteger(), nullable=True),
    sa.Column('body', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('alarms_open', 'alarms', ['cleared_at_ms'], unique=False)
    op.create_table('commands',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('run', sa.Integer(), nullable=False),
    sa.Column('no', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('station', sa.String(length=64), nullable=False),
    sa.Column('evse', sa.String(length=64), nullable=True),
    sa.Column('current_a', sa.Float(), nullable=True),
    sa.Column('sent_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('valid_until_ms', sa.BigInteger(), nullable=True),
    sa.Column('answered_at_ms', sa.BigInteger(), nullable=True),
    sa.Column('accepted', sa.Boolean(), nullable=True),
    sa.Column('detail', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('commands_by_no', 'commands', ['kind', 'no'], unique=False)
    op.create_index('commands_valid', 'commands', ['valid_until_ms'], unique=False)
    op.create_table('events',
    sa.Column('run', sa.Integer(), nullable=False),
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('run', 'seq')
    )
    op.create_index('events_by_kind', 'events', ['kind', 'at_ms'], unique=False)
    op.create_table('frames',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('station', sa.String(length=64), nullable=False),
    sa.Column('direction', sa.String(length=3), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('frames_by_station', 'frames', ['station', 'id'], unique=False)
    op.create_table('lease',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('host', sa.String(length=120), nullable=False),
    sa.Column('process', sa.String(length=80), nullable=False),
    sa.Column('beat_at_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_table('limits',
    sa.Column('id', sa.String(length=80), nullable=False),
    sa.Column('node', sa.String(length=64), nullable=False),
    sa.Column('source', sa.String(length=80), nullable=False),
    sa.Column('actor', sa.String(length=80), nullable=False),
    sa.Column('set_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('until_at_ms', sa.BigInteger(), nullable=True),
    sa.Column('withdrawn_at_ms', sa.BigInteger(), nullable=True),
    sa.Column('body', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_table('plans',
    sa.Column('no', sa.Integer(), nullable=False),
    sa.Column('made_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('no')
    )
    op.create_table('runs',
    sa.Column('run', sa.Integer(), nullable=False),
    sa.Column('started_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('settings_digest', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('run')
    )
    op.create_table('samples',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('meter', sa.String(length=64), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('power_kw', sa.Float(), nullable=True),
    sa.Column('current_l1_a', sa.Float(), nullable=True),
    sa.Column('current_l2_a', sa.Float(), nullable=True),
    sa.Column('current_l3_a', sa.Float(), nullable=True),
    sa.Column('energy_dwh', sa.BigInteger(), nullable=True),
    sa.Column('session', sa.String(length=160), nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('samples_by_meter', 'samples', ['meter', 'at_ms'], unique=False)
    op.create_table('sessions',
    sa.Column('id', sa.String(length=160), nullable=False),
    sa.Column('evse', sa.String(length=64), nullable=False),
    sa.Column('transaction_id', sa.String(length=64), nullable=False),
    sa.Column('started_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('ended_at_ms', sa.BigInteger(), nullable=True),
    sa.Column('energy_dwh', sa.BigInteger(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('sessions_open', 'sessions', ['ended_at_ms'], unique=False)
    op.create_table('stations',
    sa.Column('station', sa.String(length=64), nullable=False),
    sa.Column('failsafe_a', sa.Float(), nullable=True),
    sa.Column('failsafe_at_ms', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('station')
    )
