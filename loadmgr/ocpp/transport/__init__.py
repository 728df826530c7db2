"""WebSocket transport of the gateway: listening sockets, TLS, one slotted protocol object per link. It knows no OCPP."""
