"""The site file's word on TLS, security profiles and passwords: every contradiction and every bad file is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from loadmgr.domain.access import SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.errors import SettingsError
from loadmgr.ocpp.access.verdict import Reason
from loadmgr.ocpp.transport.tls import server_context
from loadmgr.settings import Address, LinkLimits, Settings
from loadmgr.sitefile.passwords import password_fault
from tests.support.certificates import (
    DAY,
    Issued,
    Recipe,
    authority,
    name,
    new_ec,
    new_rsa,
    revocation_list,
    server,
    station,
)
from tests.support.gatekeepers import CHEAP

HEAD = """
format = 1
[site]
id = "s"
[nodes.grid]
current_a = 100
"""
PLAIN = '[ocpp]\nlisten = "127.0.0.1:0"\n'
TLS = """
[ocpp.tls]
listen = "0.0.0.0:9443"
certificate = "server.pem"
key = "server.key"
"""
CLIENTS = 'client_ca = "clients.pem"\n'
PASSWORD = 'password = "a-password-of-16+"\n'
ONE, G1 = StationId("one"), StationId("g-1")


def load(folder: Path, *parts: str, one: str = PASSWORD, group: str = "") -> Settings:
    text = "\n".join([HEAD, *parts, '[stations.one]\nnode = "grid"', one])
    if group:
        text += f'\n[[station_groups]]\nids = ["g-1", "g-2"]\nnode = "grid"\n{group}\n'
    place = folder / "site.toml"
    place.write_text(text)
    return Settings.load(place)


def wrong(folder: Path, *parts: str, one: str = PASSWORD, group: str = "") -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, *parts, one=one, group=group)
    return str(caught.value)


@pytest.fixture(scope="module")
def root() -> Issued:
    return authority("Service root")


@pytest.fixture
def folder(tmp_path: Path, root: Issued) -> Path:
    """A folder with good files for a listener."""
    server(root).written(tmp_path, "server")
    (tmp_path / "clients.pem").write_bytes(root.pem)
    (tmp_path / "crl.pem").write_bytes(revocation_list(root))
    return tmp_path


# -- listeners and profiles ----------------------------------------------------------------------------------------


def test_a_tls_listener_needs_no_flag_and_its_files_stand_beside_the_site_file(folder: Path) -> None:
    """[E-11, G02]"""
    found = load(folder, TLS + CLIENTS + 'crl = "crl.pem"\norganization = "Operator"').ocpp
    assert found.listen is None
    assert found.tls is not None
    assert found.tls.listen == Address(host="0.0.0.0", port=9443)
    assert (found.tls.certificate, found.tls.key) == (folder / "server.pem", folder / "server.key")
    assert (found.tls.client_ca, found.tls.crl) == (folder / "clients.pem", folder / "crl.pem")
    assert found.tls.organization == "Operator"
    assert server_context(found.tls)


@pytest.mark.parametrize(
    ("listeners", "one", "profile"),
    [
        (PLAIN, PASSWORD, 1),
        (TLS, PASSWORD, 2),
        (PLAIN + TLS, PASSWORD, 2),
        (PLAIN + TLS, PASSWORD + "security_profile = 1", 1),
        (PLAIN + TLS, "security_profile = 0", 0),
        (PLAIN + TLS, 'auth = "none"', 0),
        (PLAIN + TLS, 'auth = "none"\nsecurity_profile = 0', 0),
        (PLAIN, 'auth = "basic"\n' + PASSWORD, 1),
        (TLS + CLIENTS, "security_profile = 3", 3),
        (PLAIN + 'trusted_proxies = ["10.0.0.0/8"]', PASSWORD + "security_profile = 2", 2),
        ("", "", 1),
    ],
)
def test_a_station_has_one_profile(folder: Path, listeners: str, one: str, profile: int) -> None:
    """[E-13] 2 where there is TLS, else 1, unless the file says otherwise."""
    assert load(folder, listeners, one=one).ocpp.stations[ONE].profile is SecurityProfile(profile)


@pytest.mark.parametrize(
    ("listeners", "one", "said"),
    [
        (TLS, PASSWORD + "security_profile = 1", "stations.one.security_profile: 1 is without TLS, and there is only"),
        (TLS, 'auth = "none"', "stations.one.security_profile: 0 is without TLS"),
        (PLAIN, PASSWORD + "security_profile = 2", "stations.one.security_profile: 2 needs TLS, and there is no TLS"),
        (PLAIN + 'trusted_proxies = ["10.1.2.3"]', "security_profile = 3", "3 needs TLS, and there is no TLS listener"),
        (
            TLS,
            "security_profile = 3",
            "3 needs client certificates, and nobody is said to sign them (set ocpp.tls.cl",
        ),
        (PLAIN + TLS, 'auth = "none"\nsecurity_profile = 2', 'auth: "none" contradicts security_profile = 2'),
        (PLAIN, 'auth = "basic"\nsecurity_profile = 0', 'auth: "basic" contradicts security_profile = 0'),
        (TLS + CLIENTS, 'auth = "basic"\nsecurity_profile = 3', 'auth: "basic" contradicts security_profile = 3'),
        (PLAIN, 'auth = "none"\n' + PASSWORD, 'password: is given, and auth = "none" asks for none'),
        (PLAIN, "security_profile = 0\n" + PASSWORD, "password: is given, and security_profile = 0 asks for none"),
        (PLAIN, PASSWORD + f'password_hash = "{CHEAP.hash("x")}"', "password_hash: stands beside password"),
        (TLS, "", "stations.one.password: there is no password"),
        (PLAIN, "security_profile = 4", "stations.one.security_profile: 4"),
        (PLAIN, 'password = "short"', "has 5 characters (use 16 to 64 random ones"),
        (PLAIN, f'password = "{"x" * 65}"', "has 65 characters"),
        (PLAIN, 'password = "sixteen\\tcharacters"', "has control characters"),
        (PLAIN, 'password_hash = "sha256:abc"', "password_hash: cannot be verified: it is no argon2 hash"),
        (PLAIN, PASSWORD + "hex_password = true", "hex_password: the password is no hex text of 16 to 20 bytes"),
        (PLAIN, f'password = "{"ab" * 21}"\nhex_password = true', "hex_password: the password is no hex text"),
        (PLAIN + 'trusted_proxies = ["ten"]', PASSWORD, "ocpp.trusted_proxies"),
        (PLAIN + 'waiting_room = "open"', PASSWORD, "ocpp.waiting_room"),
    ],
)
def test_a_contradiction_is_named(folder: Path, listeners: str, one: str, said: str) -> None:
    """[E-10, E-13, G04]"""
    assert said in wrong(folder, listeners, one=one)


def test_a_plain_listener_beyond_loopback_needs_the_flag_beside_tls_as_well(folder: Path) -> None:
    """[G02, G07]"""
    beyond = '[ocpp]\nlisten = "0.0.0.0:9000"\n'
    assert "sends passwords in the clear (use [ocpp.tls] instead" in wrong(folder, beyond + TLS)
    assert load(folder, beyond + "insecure = true\n" + TLS).ocpp.listen is not None


def test_a_port_speaks_tls_or_it_does_not(folder: Path) -> None:
    """[E-13, G07]"""
    both = '[ocpp]\ninsecure = true\nlisten = "0.0.0.0:9443"\n' + TLS
    assert "ocpp.tls.listen: 0.0.0.0:9443 is ocpp.listen as well" in wrong(folder, both)


def test_a_group_has_a_profile_and_names_of_certificates(folder: Path) -> None:
    """[E-12]"""
    group = 'security_profile = 3\nallow_downgrade = true\ncertificate_names = { "g-1" = "SN 1" }'
    stations = load(folder, TLS + CLIENTS, one=PASSWORD + 'certificate_name = "SN 0"', group=group).ocpp.stations
    assert stations[ONE].certificate_name == "SN 0"
    assert (stations[G1].certificate_name, stations[G1].profile) == ("SN 1", SecurityProfile.TLS_CLIENT)
    assert stations[G1].allow_downgrade
    assert stations[StationId("g-2")].certificate_name is None


@pytest.mark.parametrize(
    ("one", "names", "said"),
    [
        ("g-2", "{}", "stations.one.certificate_name: 'g-2' is the certificate name of station 'g-2' already"),
        ("x", '{ "g-1" = "x" }', "certificate_names.g-1: 'x' is the certificate name of station 'one' already"),
        ("x", '{ "g-3" = "y" }', "certificate_names.g-3: station 'g-3' is not in this group (did you mean 'g-2'?)"),
        ("", "{}", "stations.one.certificate_name: ''"),
    ],
)
def test_a_certificate_speaks_for_one_station(folder: Path, one: str, names: str, said: str) -> None:
    """[E-12, G08]"""
    group = f"security_profile = 3\ncertificate_names = {names}"
    assert said in wrong(folder, TLS + CLIENTS, one=PASSWORD + f'certificate_name = "{one}"', group=group)


def test_two_stations_may_swap_their_names(folder: Path) -> None:
    """[E-12] It is odd, and no contradiction."""
    group = 'security_profile = 3\ncertificate_names = { "g-1" = "g-2", "g-2" = "g-1" }'
    assert load(folder, TLS + CLIENTS, group=group).ocpp.stations[G1].certificate_name == "g-2"


def test_limits_and_the_rest_are_read(folder: Path) -> None:
    """[A12, A16, B28]"""
    keys = """links = 7
links_per_address = 6
messages_per_s = 5
messages_at_once = 4
send_bytes = 70000
handshake_s = 3
close_s = 1
max_frame_bytes = 65536
waiting_room = "hold"
deflate = false
trusted_proxies = ["10.0.0.0/8", "2001:db8::1"]
"""
    found = load(folder, PLAIN + keys).ocpp
    assert found.limits == LinkLimits(
        frame_bytes=65_536,
        links=7,
        links_per_address=6,
        messages_per_s=5.0,
        messages_at_once=4,
        send_bytes=70_000,
        handshake_s=3.0,
        close_s=1.0,
    )
    assert (found.waiting_room, found.is_deflating) == ("hold", False)
    assert found.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("2001:db8::1"))


def test_the_environment_says_where_tls_listens(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADMGR_OCPP_TLS_LISTEN", "127.0.0.1:9555")
    found = load(folder, TLS).ocpp
    assert found.tls is not None
    assert found.tls.listen == Address(host="127.0.0.1", port=9555)
    assert "ocpp.tls: is missing, and LOADMGR_OCPP_TLS_LISTEN is set" in wrong(folder, PLAIN)


def test_a_listener_of_the_environment_asks_for_passwords_as_well(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[G02] It must not be open because the file has no listener."""
    assert load(folder, one="").ocpp.listen is None
    monkeypatch.setenv("LOADMGR_OCPP_LISTEN", "127.0.0.1:9000")
    assert "there is no password" in wrong(folder, one="")


# -- files ---------------------------------------------------------------------------------------------------------


def _expired(folder: Path, root: Issued) -> None:
    now = datetime.now(UTC)
    Recipe(name("localhost"), now - 2 * DAY, now - DAY).signed(new_ec(), root).written(folder, "server")


def _too_early(folder: Path, root: Issued) -> None:
    now = datetime.now(UTC)
    Recipe(name("localhost"), now + DAY, now + 2 * DAY).signed(new_ec(), root).written(folder, "server")


def _strange_key(folder: Path, root: Issued) -> None:
    (folder / "server.key").write_bytes(Issued(root.certificate, new_ec()).key_pem())


def _secret_key(folder: Path, root: Issued) -> None:
    issued = server(root)
    issued.written(folder, "server")
    (folder / "server.key").write_bytes(issued.key_pem(b"secret"))


def _weak_rsa(folder: Path, root: Issued) -> None:
    server(root, new_rsa(1024)).written(folder, "server")


def _weak_ec(folder: Path, root: Issued) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    server(root, ec.generate_private_key(ec.SECP192R1())).written(folder, "server")


def _no_pem(file: str) -> Callable[[Path, Issued], None]:
    return lambda folder, _: (folder / file).write_text("nonsense") and None


def _gone(file: str) -> Callable[[Path, Issued], None]:
    return lambda folder, _: (folder / file).unlink()


def _folder(file: str) -> Callable[[Path, Issued], None]:
    def make(folder: Path, _: Issued) -> None:
        (folder / file).unlink()
        (folder / file).mkdir()

    return make


def _leaf_as_root(folder: Path, root: Issued) -> None:
    (folder / "clients.pem").write_bytes(root.pem + station(root).pem)


def _old_root(folder: Path, _: Issued) -> None:
    now = datetime.now(UTC)
    old = Recipe(name("Old CA"), now - 2 * DAY, now - DAY, is_ca=True).signed(new_ec())
    (folder / "clients.pem").write_bytes(old.pem)


def _old_list(folder: Path, root: Issued) -> None:
    good = revocation_list(root)
    (folder / "crl.pem").write_bytes(good + revocation_list(root, until=datetime.now(UTC) - DAY))


def _forged_list(folder: Path, root: Issued) -> None:
    (folder / "crl.pem").write_bytes(revocation_list(root, signer=authority("Somebody")))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_expired, "ocpp.tls.certificate: CN=localhost expired on 20"),
        (_too_early, "ocpp.tls.certificate: CN=localhost is not valid before"),
        (_strange_key, "ocpp.tls.key: 'server.key' does not fit the first certificate of 'server.pem'"),
        (_secret_key, "ocpp.tls.key: 'server.key' has a passphrase"),
        (_weak_rsa, "ocpp.tls.certificate: CN=localhost has an RSA key of 1024 bit (use RSA of at least 2048"),
        (_weak_ec, "ocpp.tls.certificate: CN=localhost has an EC key of 192 bit"),
        (_no_pem("server.pem"), "ocpp.tls.certificate: 'server.pem' is not what it should be"),
        (_no_pem("server.key"), "ocpp.tls.key: 'server.key' is not what it should be"),
        (_no_pem("clients.pem"), "ocpp.tls.client_ca: 'clients.pem' is not what it should be"),
        (_no_pem("crl.pem"), "ocpp.tls.crl: 'crl.pem' is not what it should be: there is no revocation list"),
        (_gone("server.pem"), "ocpp.tls.certificate: 'server.pem' cannot be read: No such file or directory"),
        (_gone("server.key"), "ocpp.tls.key: 'server.key' cannot be read"),
        (_gone("clients.pem"), "ocpp.tls.client_ca: 'clients.pem' cannot be read"),
        (_gone("crl.pem"), "ocpp.tls.crl: 'crl.pem' cannot be read"),
        (_folder("server.key"), "ocpp.tls.key: 'server.key' cannot be read: Is a directory"),
        (_leaf_as_root, "ocpp.tls.client_ca: O=Operator,CN=cp-01 in 'clients.pem' may not sign certificates"),
        (_old_root, "ocpp.tls.client_ca: CN=Old CA expired on"),
        (_old_list, "ocpp.tls.crl: the list of CN=Service root is good until"),
        (_forged_list, "ocpp.tls.crl: the list of CN=Service root was not signed by it"),
    ],
)
def test_a_file_that_is_no_good_is_named_before_anything_listens(
    folder: Path, root: Issued, spoil: Callable[[Path, Issued], None], said: str
) -> None:
    """[E-11, E-12, G05, G06]"""
    keys = TLS + CLIENTS + 'crl = "crl.pem"'
    assert load(folder, keys).ocpp.tls is not None, "good before"
    spoil(folder, root)
    assert said in wrong(folder, keys)


@pytest.mark.parametrize("key", ["crl", "organization"])
def test_what_is_of_no_use_without_client_certificates_is_named(folder: Path, key: str) -> None:
    """[E-12]"""
    assert f"ocpp.tls.{key}: is of no use without client_ca" in wrong(folder, TLS + f'{key} = "crl.pem"')


def test_a_chain_with_an_intermediate_authority_is_good(folder: Path, root: Issued) -> None:
    """[E-11]"""
    server(authority("Below", root)).written(folder, "server")
    assert load(folder, TLS).ocpp.tls is not None


def test_all_problems_of_tls_come_at_once(folder: Path) -> None:
    _gone("server.pem")(folder, authority())
    _no_pem("clients.pem")(folder, authority())
    text = wrong(folder, TLS.replace("9443", "nine") + CLIENTS, one="")
    for said in ("tls.certificate", "tls.client_ca", "'0.0.0.0:nine' is no address", "there is no password"):
        assert said in text


# -- passwords by version ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "good_in"),
    [
        ("x" * 15, ()),
        ("x" * 16, ("1.6", "2.0.1", "2.1")),
        ("x" * 40, ("1.6", "2.0.1", "2.1")),
        ("x" * 41, ("2.1",)),
        ("x" * 64, ("2.1",)),
        ("x" * 65, ()),
        ("é" * 10, ("1.6",)),  # bytes there, characters later
        ("x" * 16 + "\n", ()),
    ],
)
def test_what_a_password_may_be_depends_on_the_version(password: str, good_in: tuple[str, ...]) -> None:
    """[E.2, G04]"""
    assert tuple(v for v in ("1.6", "2.0.1", "2.1") if not password_fault(password, v)) == good_in


# -- the manual ----------------------------------------------------------------------------------------------------

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "secure-the-link.md"


@pytest.mark.parametrize("place", [0, 1])
def test_the_examples_of_the_manual_are_good_site_files(tmp_path: Path, place: int) -> None:
    """[E-10, E-12]"""
    example = re.findall(r"```toml\n(.+?)```", HOWTO.read_text(), re.DOTALL)[place]
    folder = tmp_path / "tls"
    folder.mkdir()
    root = authority()
    certificate, key = server(root).written(folder, "server")
    (folder / "stations-ca.pem").write_bytes(root.pem)
    (folder / "revoked.pem").write_bytes(revocation_list(root))
    site = tmp_path / "site.toml"
    site.write_text(HEAD + example)
    found = Settings.load(site).ocpp
    assert found.tls is not None
    assert (found.tls.certificate, found.tls.key) == (certificate, key)
    assert found.stations[StationId("cp-01")].profile == place + 2


def test_the_manual_explains_every_reason() -> None:
    text = HOWTO.read_text()
    assert {reason for reason in Reason if f"`{reason}`" not in text} == {Reason.PATH}
