"""The site file: TOML → checked models → domain objects."""
