"""One script per peer, each run by its own virtual environment; see README.md here."""
