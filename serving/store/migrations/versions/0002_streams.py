"""Which stream an answer came on, so that a stream can go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.add_column("analyses", sa.Column("stream_id", sa.String(), nullable=True))
    op.create_index(op.f("ix_analyses_stream_id"), "analyses", ["stream_id"], unique=False)


def downgrade() -> None:
    """Back to the one before."""
    op.drop_index(op.f("ix_analyses_stream_id"), table_name="analyses")
    op.drop_column("analyses", "stream_id")
