"""security"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('credentials',
    sa.Column('station', sa.String(length=64), nullable=False),
    sa.Column('changed_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('actor', sa.String(length=80), nullable=False),
    sa.Column('password_hash', sa.String(length=200), nullable=True),
    sa.Column('offered_hash', sa.String(length=200), nullable=True),
    sa.Column('profile', sa.Integer(), nullable=True),
    sa.Column('offered_profile', sa.Integer(), nullable=True),
    sa.PrimaryKeyConstraint('station')
    )
    op.create_table('certificates',
    sa.Column('station', sa.String(length=64), nullable=False),
    sa.Column('serial', sa.String(length=64), nullable=False),
    sa.Column('known_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('not_after_ms', sa.BigInteger(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('station', 'serial')
    )
    op.create_table('security_events',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('station', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=50), nullable=False),
    sa.Column('is_critical', sa.Boolean(), nullable=False),
    sa.Column('acknowledged_at_ms', sa.BigInteger(), nullable=True),
    sa.Column('acknowledged_by', sa.String(length=80), nullable=True),
    sa.Column('body', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('security_events_by_station', 'security_events', ['station', 'id'])
    op.create_index('security_events_open', 'security_events', ['is_critical', 'acknowledged_at_ms'])
