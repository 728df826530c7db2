"""``python -m loadmgr``."""

from loadmgr.cli import app

if __name__ == "__main__":
    app()
