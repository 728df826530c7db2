"""What may stand in a site file, key by key. Unknown keys are mistakes."""

from __future__ import annotations

from datetime import datetime, time
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

Ident = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$")]
Alias = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^/\x00-\x1f\x7f]+$")]
CommonName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(ip_network), WithJsonSchema({"type": "string"})]
Amps = Annotated[float, Field(ge=0, le=10_000)]
Kilowatts = Annotated[float, Field(ge=0, le=100_000)]
Rotation = Literal[
    "RST", "RTS", "SRT", "STR", "TRS", "TSR", "Rxx", "Sxx", "Txx", "RS", "ST", "TR", "unknown", "unknown-pair"
]


class Table(BaseModel):
    """A table of the site file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteTable(Table):
    """``[site]``; ``voltage_v`` is nominal, between a line and neutral, at the grid connection."""

    id: Ident
    name: str = ""
    timezone: str = "UTC"
    voltage_v: Annotated[float, Field(ge=100, le=36_000)] = 230.0

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("is not a time zone; use a name like Europe/Amsterdam") from error
        return value


class LimitTable(Table):
    """``[[nodes.<id>.limits]]``"""

    source: str
    current_a: Amps | None = None
    power_kw: Kilowatts | None = None
    export_kw: Kilowatts | None = None
    discharge_kw: Kilowatts | None = None
    unbalance_a: Amps | None = None
    kind: Literal["hard", "soft"] = "hard"
    from_at: datetime | None = None
    until_at: datetime | None = None


class SeriesTable(Table):
    """A load or PV: a constant, or a CSV file with the columns ``time`` and ``column``, times its factor."""

    constant_kw: Kilowatts | None = None
    series: str | None = None
    column: str = "kw"
    factor: Annotated[float, Field(gt=0, le=1000)] = 1.0
    repeat: Literal["day", "week", "none"] = "none"
    curtailable: bool = False

    @model_validator(mode="after")
    def _one_of(self) -> SeriesTable:
        if (self.constant_kw is None) == (self.series is None):
            raise ValueError("needs exactly one of constant_kw and series")
        return self


class BatteryTable(Table):
    """``[nodes.<id>.battery]``: a stationary battery; it takes part once it has told its state."""

    capacity_kwh: Annotated[float, Field(gt=0, le=100_000)]
    charge_max_kw: Kilowatts
    discharge_max_kw: Kilowatts
    floor_frac: Annotated[float, Field(ge=0, le=0.9)] = 0.1
    efficiency: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    discharge_efficiency: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    wear_per_kwh: Annotated[float, Field(ge=0, le=10)] = 0.0
    end_value_per_kwh: Annotated[float, Field(ge=0, le=10)] | None = None


class TransformerTable(Table):
    """``[nodes.<id>.transformer]``: between the node (the wye) and its parent (the delta).

    ``ratio`` is the nominal voltage of the parent / that of the node, both between a line and neutral.
    """

    kind: Literal["delta-wye"] = "delta-wye"
    ratio: Annotated[float, Field(gt=0, le=1000)]


class NodeTable(Table):
    """``[nodes.<id>]``; everything of a node with a transformer is on the node's own side of it.

    ``model``: how currents of several loads on one line add up: as numbers (``sum``), each EVSE with its magnitude
    (``linear``), or as phasors (``polygon``).
    """

    parent: Ident | None = None
    current_a: Amps | None = None
    power_kw: Kilowatts | None = None
    export_kw: Kilowatts | None = None
    unbalance_a: Amps | None = None
    source: str = "fuse"
    meter: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    base_max_a: Amps | tuple[Amps, Amps, Amps] = 0.0
    limits: tuple[LimitTable, ...] = ()
    load: SeriesTable | None = None
    pv: SeriesTable | None = None
    battery: BatteryTable | None = None
    model: Literal["sum", "linear", "polygon"] = "sum"
    transformer: TransformerTable | None = None


class TraitsTable(Table):
    """How a charger differs from the standard; a key that is absent leaves it to the rules and to observation."""

    purposes: Annotated[tuple[Literal["tx", "default", "station-default", "max"], ...], Field(min_length=1)] | None = None
    rate_units: Annotated[tuple[Literal["A", "W"], ...], Field(min_length=1)] | None = None
    stack_max: Annotated[int, Field(ge=0, le=9)] | None = None
    kind: Literal["absolute", "relative", "dynamic"] | None = None
    has_phases: bool | None = None
    current_step_a: Annotated[float, Field(ge=0.1, le=10)] | None = None
    zero: Literal["limit", "hold", "stop"] | None = None
    start_before_s: Annotated[float, Field(ge=0, le=3600)] | None = None
    needs_resend_after_pause: bool | None = None
    effective_max_a: Annotated[float, Field(ge=6, le=1000)] | None = None
    expiry: Literal["fallback", "unlimited", "stop", "hold"] | None = None
    setpoint_s: Annotated[float, Field(ge=60, le=86_400)] | None = None
    call_timeout_s: Annotated[float, Field(ge=5, le=120)] | None = None
    may_trigger: bool | None = None
    is_composite_useful: bool | None = None
    needs_remote_start: bool | None = None
    power_factor: Annotated[float, Field(ge=0.001, le=1000)] | None = None
    energy_factor: Annotated[float, Field(ge=0.001, le=1000)] | None = None
    is_total_current_sum: bool | None = None
    labels_terminals: bool | None = None
    has_session_register: bool | None = None
    is_lenient: bool | None = None
    supports_dynamic: bool | None = None
    operation_modes: tuple[str, ...] | None = None
    der_controls: tuple[str, ...] | None = None
    discharge_rated_kw: Kilowatts | None = None
    min_profile_id: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    periods_max: Annotated[int, Field(ge=1, le=1024)] | None = None


class StationTraits(TraitsTable):
    """``[stations.<id>.traits]``: the last word on a charger, and what we may do with it.

    ``takes_over``: profiles that others installed are removed. ``start_tag``: id tag of a remote start that we give
    where a plugged car needs one. ``may_reset``: a soft reset while no car charges, where a setting needs it.
    """

    takes_over: bool = False
    start_tag: Annotated[str, Field(max_length=20)] = ""
    may_reset: bool = False


class StationKeys(Table):
    """Keys that a station and a group of stations share."""

    node: Ident
    evses: Annotated[int, Field(ge=1, le=100)] = 1
    phases: Literal[1, 3] = 3
    rotation: Rotation | None = None
    current_max_a: Annotated[float, Field(ge=6, le=1000)] = 32.0
    current_min_a: Annotated[float, Field(ge=6, le=16)] = 6.0
    current_step_a: Annotated[float, Field(gt=0, le=10)] = 0.1
    power_max_kw: Kilowatts | None = None
    discharge_max_kw: Kilowatts = 0.0
    dc: bool = False
    failsafe_a: Amps = 0.0
    installer_failsafe: bool = False
    settle_s: Annotated[float, Field(ge=1, le=120)] = 20.0
    password: str | None = None
    password_hash: str | None = None
    hex_password: bool = False
    auth: Literal["basic", "none"] | None = None
    security_profile: Literal[0, 1, 2, 3] | None = None
    allow_downgrade: bool = False
    assume_ocpp16: bool = False
    traits: StationTraits = StationTraits()


class StationTable(StationKeys):
    """``[stations.<id>]``; ``rotation_of`` gives single EVSEs another rotation.

    ``aliases``: further identities under which it connects, compared letter by letter [G-55]. ``certificate_name``: CN
    of its client certificate (profile 3) where that is not its id, e.g. the serial number [E-12]. ``security_profile``:
    the only one it may connect with [E-13]; absent: 2 where there is ``[ocpp.tls]``, else 1. ``auth = "none"`` is profile
    0 in files of before. ``allow_downgrade``: a 2.x station may go from 3 back to 2. ``hex_password``: over 1.6 the
    password is a hex key, and its text and its raw bytes are both good [E-10].
    """

    rotation_of: dict[str, Rotation] = {}
    aliases: tuple[Alias, ...] = ()
    certificate_name: CommonName | None = None


class GroupTable(StationKeys):
    """``[[station_groups]]``: many alike; ``rotations`` are dealt out in turn.

    ``aliases``: further identities by station id, e.g. ``{ "cp-01" = ["CP-01"] }`` [G-55]. ``certificate_names``: CN of
    the client certificate by station id, where that is not the id itself [E-12].
    """

    ids: Annotated[tuple[Ident, ...], Field(min_length=1)]
    rotations: tuple[Rotation, ...] = ()
    aliases: dict[Ident, tuple[Alias, ...]] = {}
    certificate_names: dict[Ident, CommonName] = {}


class BandTable(Table):
    """``[[tariff.bands]]``"""

    from_: Annotated[time, Field(alias="from")]
    import_per_kwh: Annotated[float, Field(ge=-10, le=10)]
    weekdays: tuple[Annotated[int, Field(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)


class DemandTable(Table):
    """``[[tariff.demand]]``: a price on the month's highest mean import; without times it counts all day."""

    name: Ident
    price_per_kw: Annotated[float, Field(ge=0, le=1000)]
    window_s: Annotated[float, Field(ge=60, le=3600)] = 900.0
    from_: Annotated[time, Field(alias="from")] = time(0)
    until: time = time(0)
    weekdays: tuple[Annotated[int, Field(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)


class TariffTable(Table):
    """``[tariff]``"""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    export_per_kwh: Annotated[float, Field(ge=-10, le=10)] = 0.0
    bands: tuple[BandTable, ...] = ()
    series: str | None = None
    column: str = "price_per_kwh"
    demand: tuple[DemandTable, ...] = ()
    carbon_per_kg: Annotated[float, Field(ge=0, le=100)] = 0.0
    carbon_kg_per_kwh: Annotated[float, Field(ge=0, le=5)] = 0.0
    carbon_series: str | None = None
    carbon_column: str = "kg_per_kwh"


Seconds = Annotated[float, Field(gt=0)]


class ControlTable(Table):
    """``[control]``: the parameters of domain rule H.2 with their ranges. Absent keys keep their default."""

    protect_s: Annotated[float, Field(ge=0.5, le=5)] | None = None
    plan_s: Annotated[float, Field(ge=5, le=900)] | None = None
    setpoint_s: Annotated[float, Field(ge=60, le=900)] | None = None
    refresh_s: Annotated[float, Field(ge=20, le=450)] | None = None
    increase_interval_s: Annotated[float, Field(ge=10, le=300)] | None = None
    deadband_a: Annotated[float, Field(ge=0, le=5)] | None = None
    deadband_frac: Annotated[float, Field(ge=0, le=0.2)] | None = None
    margin_a: Annotated[float, Field(ge=0, le=100)] | None = None
    margin_frac: Annotated[float, Field(ge=0, le=0.5)] | None = None
    min_on_s: Annotated[float, Field(ge=60, le=1800)] | None = None
    min_off_s: Annotated[float, Field(ge=60, le=1800)] | None = None
    rotation_s: Annotated[float, Field(ge=300, le=7200)] | None = None
    meter_hold_s: Annotated[float, Field(ge=3, le=300)] | None = None
    meter_stale_s: Annotated[float, Field(ge=5, le=600)] | None = None
    sample_interval_s: Annotated[float, Field(ge=1, le=900)] | None = None
    call_timeout_s: Annotated[float, Field(ge=5, le=120)] | None = None
    obey_s: Annotated[float, Field(ge=15, le=600)] | None = None
    plan_life_s: Annotated[float, Field(ge=10, le=1800)] | None = None
    horizon: Annotated[tuple[tuple[int, Seconds], ...], Field(min_length=1)] | None = None
    engine: str | None = None
    solve_deadline_s: Annotated[float, Field(ge=0.1, le=60)] | None = None
    energy_default_kwh: Annotated[float, Field(ge=0, le=200)] | None = None
    stay_default_s: Annotated[float, Field(ge=600, le=172_800)] | None = None
    sooner_weight: Annotated[float, Field(ge=0, le=100)] | None = None
    change_weight: Annotated[float, Field(ge=0, le=100)] | None = None
    forecast_quantile: Annotated[float, Field(ge=0.5, le=0.999)] | None = None
    depart_quantile: Annotated[float, Field(ge=0.01, le=0.9)] | None = None
    trusts_drivers: bool | None = None
    battery_stale_s: Annotated[float, Field(ge=10, le=3600)] | None = None
    taper_from_frac: Annotated[float, Field(ge=0.1, le=1)] | None = None
    taper_end_frac: Annotated[float, Field(ge=0.01, le=1)] | None = None
    v2g_wear_per_kwh: Annotated[float, Field(ge=0, le=10)] | None = None
    v2g_efficiency: Annotated[float, Field(gt=0.5, le=1)] | None = None


class TlsTable(Table):
    """``[ocpp.tls]``: the listener of security profiles 2 and 3. Files are PEM, their paths relative to the site file.

    ``certificate``: the server's, with what is between it and the root. ``client_ca``: roots of the stations'
    certificates; without it there is no profile 3. ``crl``: revocation lists of those that sign stations' certificates.
    ``organization``: what O of a station's certificate must be [E-12].
    """

    listen: str
    certificate: str
    key: str
    client_ca: str | None = None
    crl: str | None = None
    organization: CommonName | None = None


class CaTable(Table):
    """``[ocpp.security.ca]``: an authority of our own that signs stations' requests; PEM files relative to the site file.

    ``organization``: what O of a request must be [E-12]. ``v2g``: it signs certificates that stations show to cars, too.
    """

    certificate: str
    key: str
    validity_days: Annotated[int, Field(ge=1, le=3650)] = 365
    organization: CommonName | None = None
    v2g: bool = False


class SecurityTable(Table):
    """``[ocpp.security]``: what is done about stations' security over OCPP.

    ``uploads``: addresses such as ``sftp://logs.example.org`` to which stations may be told to upload their logs [G20].
    ``url``: what a 2.x station is told to connect to for a higher security profile, without its identity.
    """

    uploads: tuple[Annotated[str, Field(pattern=r"^(https?|ftps?|sftp)://[^\s@/]+(/\S*)?$", max_length=512)], ...] = ()
    url: Annotated[str, Field(pattern=r"^wss://\S+$", max_length=512)] | None = None
    ca: CaTable | None = None


class OcppTable(Table):
    """``[ocpp]``: the gateway; without ``listen`` and ``[ocpp.tls]`` a host program owns the sockets.

    ``links``, ``links_per_address``: open at a time. ``messages_per_s``: of one link, sustained, after
    ``messages_at_once``, or half of it for who has just come; ``overtime_per_s``: of all links that are faster, together.
    ``send_bytes``: waiting for a station that does not read. ``waiting_room``: what becomes of unknown identities: ``list``
    refuses and lists them, ``hold`` lets them say who they are, without any right. ``trusted_proxies``: addresses or
    networks whose word about a client's address and TLS counts [A16]. ``deflate``: compress where a station offers it.
    """

    listen: str | None = None
    tls: TlsTable | None = None
    security: SecurityTable = SecurityTable()
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]*$")] = "/ocpp"
    heartbeat_s: Annotated[int, Field(ge=10, le=86_400)] = 300
    ping_s: Annotated[float, Field(ge=5, le=3600)] | None = 30.0
    accept: Literal["all"] | tuple[str, ...] = "all"
    max_frame_bytes: Annotated[int, Field(ge=65_536, le=1_048_576)] = 262_144
    links: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    links_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 5_000
    messages_per_s: Annotated[float, Field(ge=1, le=10_000)] = 20.0
    messages_at_once: Annotated[int, Field(ge=1, le=100_000)] = 30
    overtime_per_s: Annotated[float, Field(ge=1, le=100_000)] = 300.0
    send_bytes: Annotated[int, Field(ge=65_536, le=67_108_864)] = 1_048_576
    handshake_s: Annotated[float, Field(ge=1, le=60)] = 10.0
    close_s: Annotated[float, Field(ge=0.1, le=30)] = 2.0
    deflate: bool = True
    trusted_proxies: tuple[Network, ...] = ()
    waiting_room: Literal["list", "hold"] = "list"
    insecure: bool = False


class StorageTable(Table):
    """``[storage]``"""

    url: str = "sqlite:///loadmgr.db"


class ApiTable(Table):
    """``[api]``: operators' key, an optional key that may only look, and where to listen."""

    listen: str = "127.0.0.1:8080"
    key: str | None = None
    viewer_key: str | None = None
    insecure: bool = False


class SiteFile(Table):
    """The whole file."""

    format: Literal[1]
    site: SiteTable
    nodes: Annotated[dict[Ident, NodeTable], Field(min_length=1)]
    stations: dict[Ident, StationTable] = {}
    station_groups: tuple[GroupTable, ...] = ()
    tariff: TariffTable = TariffTable()
    control: ControlTable = ControlTable()
    ocpp: OcppTable = OcppTable()
    storage: StorageTable = StorageTable()
    api: ApiTable = ApiTable()
