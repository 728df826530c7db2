"""Bring a database to the schema of this version; forward only."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from loadmgr.errors import StorageError


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration without a file: the scripts travel in the package."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def upgrade(connection: Connection, shown_url: str) -> None:
    """Migrate inside the caller's transaction. Raises ``StorageError`` when the database is newer [F08]."""
    settings = config(connection)
    scripts = ScriptDirectory.from_config(settings)
    known = {script.revision for script in scripts.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise StorageError(
            f"{shown_url}: the database has schema {current!r}, which this version does not know; "
            "it was written by a newer loadmgr: upgrade, or restore the backup from before that upgrade"
        )
    command.upgrade(settings, "head")
