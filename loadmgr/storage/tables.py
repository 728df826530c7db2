"""The schema, written once for SQLite and PostgreSQL. Times are UTC milliseconds; columns carry their unit."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()
_BIG = BigInteger().with_variant(Integer, "sqlite")

runs = Table(
    "runs",
    metadata,
    Column("run", Integer, primary_key=True),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("settings_digest", String(64), nullable=False),
)
events = Table(
    "events",
    metadata,
    Column("run", Integer, primary_key=True),
    Column("seq", _BIG, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("body", Text, nullable=False),
    Index("events_by_kind", "kind", "at_ms"),
)
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("evse", String(64), nullable=False),
    Column("transaction_id", String(64), nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("energy_dwh", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("sessions_open", "ended_at_ms"),
)
samples = Table(
    "samples",
    metadata,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("meter", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("power_kw", Float),
    Column("current_l1_a", Float),
    Column("current_l2_a", Float),
    Column("current_l3_a", Float),
    Column("energy_dwh", BigInteger),
    Column("session", String(160)),
    Index("samples_by_meter", "meter", "at_ms"),
)
limits = Table(
    "limits",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("node", String(64), nullable=False),
    Column("source", String(80), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("set_at_ms", BigInteger, nullable=False),
    Column("until_at_ms", BigInteger),
    Column("withdrawn_at_ms", BigInteger),
    Column("body", Text, nullable=False),
)
plans = Table(
    "plans",
    metadata,
    Column("no", Integer, primary_key=True),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
commands = Table(
    "commands",
    metadata,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("run", Integer, nullable=False),
    Column("no", Integer, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("station", String(64), nullable=False),
    Column("evse", String(64)),
    Column("current_a", Float),
    Column("sent_at_ms", BigInteger, nullable=False),
    Column("valid_until_ms", BigInteger),
    Column("answered_at_ms", BigInteger),
    Column("accepted", Boolean),
    Column("detail", String(200), nullable=False),
    Index("commands_by_no", "kind", "no"),
    Index("commands_valid", "valid_until_ms"),
)
alarms = Table(
    "alarms",
    metadata,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("key", String(160), nullable=False),
    Column("raised_at_ms", BigInteger, nullable=False),
    Column("cleared_at_ms", BigInteger),
    Column("body", Text, nullable=False),
    Index("alarms_open", "cleared_at_ms"),
)
frames = Table(
    "frames",
    metadata,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("station", String(64), nullable=False),
    Column("direction", String(3), nullable=False),
    Column("text", Text, nullable=False),
    Index("frames_by_station", "station", "id"),
)
stations = Table(
    "stations",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("failsafe_a", Float),
    Column("failsafe_at_ms", BigInteger),
    Column("traits", Text),
)
reservations = Table(
    "reservations",
    metadata,
    Column("reservation", BigInteger, primary_key=True, autoincrement=False),
    Column("evse", String(64), nullable=False),
    Column("id_tag", String(64), nullable=False),
    Column("from_at_ms", BigInteger, nullable=False),
    Column("until_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("end_reason", String(40)),
    Column("body", Text, nullable=False),
    Index("reservations_open", "ended_at_ms", "until_at_ms"),
)
grid_requests = Table(
    "grid_requests",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("actor", String(80), nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
    Column("until_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    Column("body", Text, nullable=False),
)
evse_limits = Table(
    "evse_limits",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("evse", String(64), primary_key=True),
    Column("source", String(80), primary_key=True),
    Column("until_at_ms", BigInteger),
    Column("body", Text, nullable=False),
)
credentials = Table(
    "credentials",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("password_hash", String(200)),
    Column("offered_hash", String(200)),
    Column("profile", Integer),
    Column("offered_profile", Integer),
)
certificates = Table(
    "certificates",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("serial", String(64), primary_key=True),
    Column("known_at_ms", BigInteger, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
security_events = Table(
    "security_events",
    metadata,
    Column("id", _BIG, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("station", String(64), nullable=False),
    Column("kind", String(50), nullable=False),
    Column("is_critical", Boolean, nullable=False),
    Column("acknowledged_at_ms", BigInteger),
    Column("acknowledged_by", String(80)),
    Column("body", Text, nullable=False),
    Index("security_events_by_station", "station", "id"),
    Index("security_events_open", "is_critical", "acknowledged_at_ms"),
)
archived_days = Table(
    "archived_days",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since 1970-01-01 UTC
    Column("is_current", Boolean, nullable=False),  # the day's file holds all its samples up to through_id
    Column("through_id", BigInteger, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("crc32", BigInteger, nullable=False),
)
lease = Table(
    "lease",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", String(120), nullable=False),
    Column("process", String(80), nullable=False),
    Column("beat_at_ms", BigInteger, nullable=False),
)
