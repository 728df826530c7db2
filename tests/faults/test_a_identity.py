"""Who is on the link: one id twice, wrong handshakes, addresses [A08-A10, A16]: each beside two healthy chargers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from loadmgr.settings import OcppSettings
from tests.support.chargers import header, until
from tests.support.faulty_settings import limited
from tests.support.faulty_site import ODD, ODD_PASSWORD, FaultySite, beside_two
from tests.support.wire import by_hand, link_by_hand

OTHER_CAUSES = ("offline:", "failsafe:")
"""Alarms that say nothing of who is on the link."""


def _alarms(site: FaultySite) -> list[str]:
    """Alarms about the faulty charger that say something is wrong with who it is."""
    return [k for k in site.manager.state.alarms if ODD in k and not k.startswith(OTHER_CAUSES)]


def test_a08_a_second_link_must_prove_itself_before_it_replaces_the_first(tmp_path: Path) -> None:
    """[A08] Wrong password: 401, and the first goes on. Right one: the first is closed, commands go to the second."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.commissioned() as first:
            async with by_hand(site.gateway.port) as hand:
                found = await hand.shake(f"/ocpp/{ODD}", header(ODD, "not-the-password"))
                assert found.status == 401
            assert (await first.ask("Heartbeat", {}))[0] == 3
            async with site.odd(boots=False) as second:
                await asyncio.wait_for(first.socket.wait_closed(), 5)
                assert first.socket.close_code == 1000
                n_first = len(first.calls)
                assert (await second.ask("StartTransaction", site.start()))[0] == 3
                await until(lambda: second.profiles("TxProfile"))
                assert len(first.calls) == n_first
                assert site.gateway.takeovers == 1
                assert site.odd_is_online

    asyncio.run(play())


@pytest.mark.timeout(120)
def test_a09_two_chargers_that_fight_for_one_id_are_slowed_down_and_told_of(tmp_path: Path) -> None:
    """[A09, G-44] A cloned configuration: both come back whenever they are thrown out."""

    async def fight(site: FaultySite, until_s: float) -> int:
        loop, n = asyncio.get_running_loop(), 0
        while loop.time() < until_s:
            try:
                async with asyncio.timeout_at(until_s), link_by_hand(site.gateway.port, ODD, ODD_PASSWORD) as hand:
                    n += 1
                    await hand.end()
            except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, AssertionError):
                continue
        return n

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            until_s = asyncio.get_running_loop().time() + 6.0  # a minute of the service's clock
            fighting = [asyncio.create_task(fight(site, until_s)) for _ in range(2)]
            try:
                await until(lambda: _alarms(site), 6.0)
            finally:
                n = sum(await asyncio.gather(*fighting))
            assert site.gateway.takeovers <= n <= 60, "takeovers must get rarer"

    asyncio.run(play())


def test_a10_wrong_paths_and_subprotocols_are_refused_without_a_downgrade(tmp_path: Path) -> None:
    """[A10, E.1] 404, or a link that is closed at once and never counts as the charger's."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            for path in ("/", "/ocpp", "/ocpp/", "/elsewhere/odd", "/ocpp/odd/more", "/ocppx/odd", "//odd"):
                async with by_hand(site.gateway.port) as hand:
                    assert (await hand.shake(path, header(ODD, ODD_PASSWORD))).status == 404, path
            for offered in ("", "ocpp1.5", "ocpp2.0", "OCPP1.6", "ocpp1.6x", "soap", "ocpp1.5, soap"):
                protocols = {"Sec-WebSocket-Protocol": offered}
                async with by_hand(site.gateway.port) as hand:
                    found = await hand.shake(f"/ocpp/{ODD}", {**header(ODD, ODD_PASSWORD), **protocols})
                    assert (found.status, "sec-websocket-protocol" in found.headers) == (101, False), offered
                    assert await hand.end() == 1002
                    assert not site.odd_is_online
            async with link_by_hand(
                site.gateway.port, ODD, ODD_PASSWORD, extra={"Sec-WebSocket-Protocol": "soap, ocpp1.6, ocpp2.0.1"}
            ) as hand:
                assert hand.shaken.headers["sec-websocket-protocol"] in {"ocpp1.6", "ocpp2.0.1"}

    asyncio.run(play())


BROKEN = {
    "no upgrade": {"Upgrade": ""},
    "another upgrade": {"Upgrade": "h2c"},
    "no key": {"Sec-WebSocket-Key": ""},
    "a short key": {"Sec-WebSocket-Key": "c2hvcnQ="},
    "another version": {"Sec-WebSocket-Version": "8"},
}


def test_a10_broken_handshakes_get_an_error_and_no_link(tmp_path: Path) -> None:
    """[A10] A status of the 400s, or the end; garbage as well."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=limited(handshake_s=1.0)) as site:
            for name, headers in BROKEN.items():
                async with by_hand(site.gateway.port) as hand:
                    found = await hand.shake(f"/ocpp/{ODD}", {**header(ODD, ODD_PASSWORD), **headers})
                    assert 400 <= found.status < 500, name
            for garbage in (
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
                b"\r\n\r\n",
                b"PUT / HTTP/0.9\r\n\r\n",
                b"\x00" * 5000,
            ):
                async with by_hand(site.gateway.port) as hand:
                    hand.writer.write(garbage)
                    reply = await asyncio.wait_for(hand.reader.read(100), 5)
                    assert b" 101 " not in reply
            async with by_hand(site.gateway.port) as hand:  # headers without end
                hand.writer.write(b"GET /ocpp/odd HTTP/1.1\r\n" + b"X: " + b"y" * 200_000)
                reply = await asyncio.wait_for(hand.reader.read(100), 5)
                assert b" 101 " not in reply
            assert not site.odd_is_online

    asyncio.run(play())


def _trusting(network: str) -> object:
    def change(ocpp: OcppSettings) -> OcppSettings:
        return replace(ocpp, trusted_proxies=(ip_network(network),))

    return change


async def _tries(site: FaultySite, forwarded: list[str], password: str) -> list[int]:
    """Statuses of handshakes that say they come from these addresses."""
    found = []
    for address in forwarded:
        extra = {"X-Forwarded-For": address, "Forwarded": f"for={address}", "X-Real-IP": address}
        async with by_hand(site.gateway.port, source="127.0.0.3") as hand:
            found.append((await hand.shake(f"/ocpp/{ODD}", {**header(ODD, password), **extra})).status)
    return found


def test_a16_an_address_that_the_client_makes_up_counts_for_nothing(tmp_path: Path) -> None:
    """[A16, E-15] Guesses under ever other addresses are slowed down all the same, by where they really come from."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            assert await _tries(site, [f"10.0.0.{n}" for n in range(4)], "guess-number-0001") == [401] * 4
            assert await _tries(site, ["10.0.0.9"], ODD_PASSWORD) == [401], "this address has to wait"

    asyncio.run(play())


def test_a16_behind_a_trusted_proxy_each_address_counts_for_itself(tmp_path: Path) -> None:
    """[A16, E-15]"""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=_trusting("127.0.0.3/32")) as site:
            assert await _tries(site, ["10.0.0.1"] * 4, "guess-number-0001") == [401] * 4
            assert await _tries(site, ["10.0.0.1", "10.0.0.2"], ODD_PASSWORD) == [401, 101]

    asyncio.run(play())


def test_a16_ipv6_is_served_as_well(tmp_path: Path) -> None:
    """[A16] The healthy chargers and the faulty one, whose guesses count there too."""

    async def play() -> None:
        async with beside_two(tmp_path, host="[::1]") as site:
            for _ in range(4):
                async with by_hand(site.gateway.port, host="::1") as hand:
                    assert (await hand.shake(f"/ocpp/{ODD}", header(ODD, "guess-number-0001"))).status == 401
            async with by_hand(site.gateway.port, host="::1") as hand:
                assert (await hand.shake(f"/ocpp/{ODD}", header(ODD, ODD_PASSWORD))).status == 401
            assert all(t.is_connected for t in site.good)

    asyncio.run(play())


def test_a08_an_outsider_does_not_throw_the_charger_out_by_guessing(tmp_path: Path) -> None:
    """[A08, G03] Guesses from another address, and the charger comes back from its own at once."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            async with site.odd() as raw:
                for _ in range(8):
                    async with by_hand(site.gateway.port, source="127.0.0.4") as hand:
                        assert (await hand.shake(f"/ocpp/{ODD}", header(ODD, "guess-number-0001"))).status == 401
                assert (await raw.ask("Heartbeat", {}))[0] == 3
            try:
                async with site.odd(boots=False) as again:
                    assert (await again.ask("Heartbeat", {}))[0] == 3
            except InvalidStatus as refused:
                raise AssertionError("the true charger was locked out") from refused

    asyncio.run(play())
