"""How unusual an answer's image is for its model; answers from before have no such number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.add_column("analyses", sa.Column("caution_ratio", sa.Double(), nullable=True))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("analyses", "caution_ratio")
