"""A simulated site: station twins over real sockets, cars, meters and time."""
