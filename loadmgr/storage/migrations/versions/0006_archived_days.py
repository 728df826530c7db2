"""archived days"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('archived_days',
    sa.Column('day', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('is_current', sa.Boolean(), nullable=False),
    sa.Column('through_id', sa.BigInteger(), nullable=False),
    sa.Column('n_rows', sa.BigInteger(), nullable=False),
    sa.Column('crc32', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('day')
    )
