"""OCPP central system: session without sockets, one gateway, a folder per version."""
