"""reservations"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('reservations',
    sa.Column('reservation', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('evse', sa.String(length=64), nullable=False),
    sa.Column('id_tag', sa.String(length=64), nullable=False),
    sa.Column('from_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('until_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('ended_at_ms', sa.BigInteger(), nullable=True),
    sa.Column('end_reason', sa.String(length=40), nullable=True),
    sa.Column('body', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('reservation')
    )
    op.create_index('reservations_open', 'reservations', ['ended_at_ms', 'until_at_ms'], unique=False)
