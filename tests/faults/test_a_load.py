"""Too many links, too often, or by nobody [A06, A07, A11-A13, A18]: each beside two healthy chargers."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
from pathlib import Path

import pytest

from loadmgr.control.state import FailsafeState
from loadmgr.domain.ids import StationId
from tests.support.chargers import charger, header, until
from tests.support.faulty_settings import limited
from tests.support.faulty_site import GOOD, ODD, ODD_PASSWORD, FaultySite, beside_two, memory_mb, n_files
from tests.support.wire import PING, TEXT, ByHand, by_hand, link_by_hand

SOAK = bool(os.environ.get("LOADMGR_SOAK"))
N_STORM = 500 if SOAK else 200
N_IDLE = 10_000 if SOAK else 600
ELSEWHERE = "127.0.0.2"
"""Another address than that of the healthy chargers."""


def test_a06_a_charger_that_flaps_leaves_nothing_behind(tmp_path: Path) -> None:
    """[A06, G-44] A hundred links within a minute: one lives, later ones wait, no task and no file stays."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            async with site.commissioned():
                pass
            await until(lambda: not site.odd_is_online)
            gc.collect()
            files, tasks = n_files(), len(asyncio.all_tasks())
            n_let_in = 0
            for _ in range(100):
                async with by_hand(site.gateway.port) as hand:
                    hand.writer.write(hand.request(f"/ocpp/{ODD}", header(ODD, ODD_PASSWORD)))
                    try:
                        n_let_in += (await asyncio.wait_for(hand.answered(), 0.03)).status == 101
                    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
                        continue
            assert n_let_in < 60, "the links that come too fast must wait"
            assert site.gateway.activity.n < 10_000
            await until(lambda: not site.odd_is_online)
            await until(lambda: n_files() <= files + 2 and len(asyncio.all_tasks()) <= tasks + 2, 40.0)
            async with site.odd(boots=False) as again:
                assert (await again.ask("Heartbeat", {}))[0] == 3

    asyncio.run(play())


async def _crowd(site: FaultySite, n: int, connected: asyncio.Event, leave: asyncio.Event) -> None:
    """One of the many: connect, boot, take what comes, until told to leave."""
    async with charger(site.gateway, f"c-{n}", password="crowd-password-003") as raw:  # type: ignore[arg-type]
        await until(lambda: raw.got("SetChargingProfile"), 60.0)
        await leave.wait()


@pytest.mark.timeout(170)
def test_a07_all_chargers_at_once_are_in_service_and_the_healthy_ones_stay(tmp_path: Path) -> None:
    """[A07, E-3] Two hundred in one moment, five hundred in ``make soak``."""

    async def play() -> None:
        async with beside_two(tmp_path, crowd=N_STORM) as site:
            connected, leave = asyncio.Event(), asyncio.Event()
            many = [asyncio.create_task(_crowd(site, n, connected, leave)) for n in range(N_STORM)]
            state = site.manager.state.stations
            ids = [s for s in state if s.startswith("c-")]
            assert len(ids) == N_STORM
            confirmed = FailsafeState.CONFIRMED
            await until(lambda: all(site.manager.state.stations[s].failsafe is confirmed for s in ids), 100.0)
            assert site.gateway.connected >= set(ids)
            leave.set()
            await asyncio.gather(*many)
            await until(lambda: site.gateway.connected == frozenset(GOOD))

    asyncio.run(play())


def test_a11_handshakes_that_never_end_are_ended(tmp_path: Path) -> None:
    """[A11] Fifty that send a byte now and then, and a few that send nothing or headers without end."""

    async def drip(hand: ByHand, data: bytes) -> None:
        for n in range(len(data)):
            hand.writer.write(data[n : n + 1])
            await asyncio.sleep(0.1)

    async def slow(site: FaultySite, kind: int) -> None:
        async with by_hand(site.gateway.port) as hand:
            request = hand.request(f"/ocpp/{ODD}", header(ODD, ODD_PASSWORD))
            endless = request[:-2] + b"".join(b"X-%d: y\r\n" % n for n in range(3))
            dripping = asyncio.create_task(drip(hand, (request, b"", endless)[kind % 3] if kind < 6 else request))
            try:
                await asyncio.wait_for(hand.reader.read(), 10.0)  # until the server ends it
            except ConnectionError:
                pass
            finally:
                dripping.cancel()
                await asyncio.gather(dripping, return_exceptions=True)

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=limited(handshake_s=1.0)) as site:
            before = n_files()
            async with asyncio.timeout(12.0):
                many = asyncio.gather(*(slow(site, kind) for kind in range(50)))
                await asyncio.sleep(0.5)
                async with site.odd() as raw:  # among them an honest one
                    assert (await raw.ask("Heartbeat", {}))[0] == 3
                await many
            await until(lambda: n_files() <= before + 2)

    asyncio.run(play())


@pytest.mark.timeout(170)
def test_a12_more_links_than_one_address_may_have_are_refused_quickly(tmp_path: Path) -> None:
    """[A12] Six hundred idle ones from one address, ten thousand in ``make soak``; others come in meanwhile."""
    kept = 60

    async def play() -> None:
        limits = limited(links_per_address=kept, handshake_s=100.0)
        async with beside_two(tmp_path, ocpp=limits) as site:
            before_mb = memory_mb()
            socks: list[socket.socket] = []
            loop = asyncio.get_running_loop()
            try:
                for _ in range(N_IDLE):
                    sock = socket.socket()
                    sock.setblocking(False)
                    sock.bind((ELSEWHERE, 0))
                    socks.append(sock)
                    await loop.sock_connect(sock, ("127.0.0.1", site.gateway.port))
                await until(lambda: sum(_is_ended(s) for s in socks) >= N_IDLE - kept, 20.0)
                assert sum(_is_ended(s) for s in socks) == N_IDLE - kept
                async with site.odd() as raw:
                    assert (await raw.ask("Heartbeat", {}))[0] == 3
                assert memory_mb() - before_mb < 40.0
            finally:
                for sock in socks:
                    sock.close()

    asyncio.run(play())


def _is_ended(sock: socket.socket) -> bool:
    """Has the server ended this connection, with a word or without?"""
    try:
        return sock.recv(1, socket.MSG_PEEK) is not None
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_a12_more_links_than_there_may_be_at_all_are_refused_with_503(tmp_path: Path) -> None:
    """[A12] The two healthy ones and one more fit; when a place is free again it can be had."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=limited(links=3)) as site:
            async with site.odd() as raw, by_hand(site.gateway.port) as hand:
                found = await hand.shake("/ocpp/nobody", header("nobody", "no-such-password-1"))
                assert found.status == 503
                assert (await raw.ask("Heartbeat", {}))[0] == 3
            await until(lambda: not site.odd_is_online)
            async with site.odd() as raw:
                assert (await raw.ask("Heartbeat", {}))[0] == 3

    asyncio.run(play())


def test_a13_a_charger_that_never_reads_is_cut_off(tmp_path: Path) -> None:
    """[A13] It asks and pings ten thousand times and takes no answer: what waits for it is bounded, and then it is gone."""

    async def play() -> None:
        limits = limited(send_bytes=65_536, messages_per_s=100_000.0, messages_at_once=100_000)
        async with (
            beside_two(tmp_path, ocpp=limits) as site,
            link_by_hand(site.gateway.port, ODD, ODD_PASSWORD, window_bytes=2048) as hand,
        ):
            await until(lambda: site.odd_is_online)
            hand.writer.transport.pause_reading()  # type: ignore[attr-defined]
            before_mb = memory_mb()
            sent = 0
            while ODD in site.gateway.connected and sent < 60_000:
                hand.send(TEXT, json.dumps([2, f"n{sent}", "Heartbeat", {}]).encode())
                for _ in range(50):
                    hand.send(PING, b"x" * 125)
                    sent += 1
                await asyncio.sleep(0.001)
            assert not site.odd_is_online
            assert memory_mb() - before_mb < 60.0

    asyncio.run(play())


def test_a18_a_site_meter_that_falls_silent_lowers_the_allowance_in_steps(tmp_path: Path) -> None:
    """[A18, D01, H-2] This service's meters speak over its API: the nearest to a lost meter link."""

    async def play() -> None:
        async with beside_two(tmp_path, params={"sample_interval_s": 5.0}) as site:
            await asyncio.sleep(1.0)
            offered = [sum(t.outlet.offered_a() for t in site.good)]
            site.world.meter_is_silent = True
            async with asyncio.timeout(20.0):
                while "meter:grid-meter" not in site.manager.state.alarms:
                    await asyncio.sleep(0.2)
                    offered.append(sum(t.outlet.offered_a() for t in site.good))
            for _ in range(35):
                await asyncio.sleep(0.1)
                offered.append(sum(t.outlet.offered_a() for t in site.good))
            quiet = offered[1:]
            assert all(b <= a + 1e-9 for a, b in zip(quiet[5:], quiet[6:], strict=False)), offered
            site.world.meter_is_silent = False
            await until(lambda: "meter:grid-meter" not in site.manager.state.alarms)
            assert StationId("good-1") in site.gateway.connected

    asyncio.run(play())
