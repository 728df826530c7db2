"""Faults of the network [A01-A05, A14, A15]: each beside two healthy chargers, the five promises at the end."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.control.evse_state import Outcome
from tests.support.chargers import start, until
from tests.support.faulty_settings import limited
from tests.support.faulty_site import FACTOR, ODD, ODD_EVSE, ODD_PASSWORD, FaultySite, beside_two, stepped, talks
from tests.support.proxy import proxied
from tests.support.wire import PING, PONG, link_by_hand

SOAK = bool(os.environ.get("LOADMGR_SOAK"))


def test_a01_a_cut_cable_is_noticed_by_pings_and_the_fall_back_is_reserved(tmp_path: Path) -> None:
    """[A01, P2] Half-open: no FIN, no RST, in the middle of a session."""

    async def play() -> None:
        async with (
            beside_two(tmp_path, ocpp=limited(ping_s=0.3)) as site,
            proxied(site.gateway.port) as proxy,
            site.commissioned(via=proxy) as raw,
        ):
            await raw.ask("StartTransaction", site.start())
            await until(lambda: raw.profiles("TxProfile"))
            proxy.is_hole = True
            await until(lambda: ODD not in site.gateway.connected, 5.0)
            assert not site.odd_is_online
            assert site.counted_a(ODD) >= 6.0
            assert len(site.odd_sessions) == 1  # the car is still there
            await asyncio.sleep(0.5)
            assert not site.odd_is_online
            raw.cut()

    asyncio.run(play())


def test_a01_a_client_that_vanished_is_noticed_too(tmp_path: Path) -> None:
    """[A01] The router forgot the connection: the charger is gone, the server was never told."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=limited(ping_s=0.3)) as site, proxied(site.gateway.port) as proxy:
            async with site.commissioned(via=proxy):
                proxy.drop_client()
                await until(lambda: ODD not in site.gateway.connected, 5.0)
            proxy.is_hole = False
            async with site.commissioned(via=proxy, boots=False):
                assert site.odd_is_online

    asyncio.run(play())


def test_a02_a_reset_in_the_middle_of_a_frame_drops_the_frame(tmp_path: Path) -> None:
    """[A02] After any number of its bytes but all of them."""
    text = json.dumps([2, "half", "StartTransaction", start(tag="half-frame")])
    whole = len(text) + 8  # two bytes of head, two of length, four of mask

    async def half(site: FaultySite, n: int) -> None:
        async with proxied(site.gateway.port) as proxy, site.odd(via=proxy, boots=False) as raw:
            await until(lambda: ODD in site.gateway.connected, 40.0)
            proxy.cut_up_after = n
            await raw.send(text)
            await asyncio.wait_for(raw.socket.wait_closed(), 5)
            await until(lambda: ODD not in site.gateway.connected)
        assert site.odd_sessions == []

    with stepped(tmp_path) as (run, site):

        @talks(10)
        @given(st.integers(1, whole - 1))
        def cut_after(n: int) -> None:
            run(half(site, n))

        cut_after()
        assert run(site.stored(ODD_EVSE)) == []


def test_a03_a_link_lost_before_the_answer_leaves_the_order_unknown_and_it_is_given_again(tmp_path: Path) -> None:
    """[A03, A-133] Never assumed accepted."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, proxied(site.gateway.port) as proxy:
            async with site.commissioned(via=proxy) as raw:
                await until(lambda: any(c[2] == "TriggerMessage" for c in raw.calls))
                proxy.cut_on = b'"TxProfile"'
                await raw.ask("StartTransaction", site.start())
                await asyncio.wait_for(raw.socket.wait_closed(), 5)
                await until(lambda: ODD not in site.gateway.connected)
                outcomes = {o.outcome for o in site.manager.state.evses[ODD_EVSE].orders}
                assert outcomes == {Outcome.UNKNOWN}
            proxy.cut_on = b""
            async with site.odd(via=proxy, boots=False) as again:
                await until(lambda: again.profiles("TxProfile"))
                await until(lambda: site.manager.state.evses[ODD_EVSE].orders[-1].outcome is Outcome.ACCEPTED)

    asyncio.run(play())


def test_a04_a_late_answer_does_not_answer_the_next_call(tmp_path: Path) -> None:
    """[A04, 0-6] It is matched to the call that it belongs to."""

    async def play() -> None:
        async with beside_two(tmp_path, params={"call_timeout_s": 10.0}) as site, site.commissioned() as raw:
            await until(lambda: any(c[2] == "TriggerMessage" for c in raw.calls))
            raw.is_silent = True
            await raw.ask("StartTransaction", site.start())
            await until(lambda: raw.profiles("TxProfile"))
            late = next(c for c in raw.calls if c[2] == "SetChargingProfile" and "transactionId" in json.dumps(c))
            n = len(raw.calls)
            await until(lambda: len(raw.calls) > n, 20.0)  # the time of the first is over: the next call is open
            following = raw.calls[n]
            assert following[1] != late[1]
            link = site.gateway.link(ODD)
            assert link is not None
            await raw.send(json.dumps([3, late[1], {"status": "Rejected"}]))
            await raw.ask("Heartbeat", {})
            assert link.session.n_queued >= 1, "the late answer was taken for the answer to the call that is open"
            raw.is_silent = False
            await raw.send(json.dumps([3, following[1], {"status": "Accepted"}]))
            assert (await raw.ask("Heartbeat", {}))[0] == 3

    asyncio.run(play())


def test_a05_a_slow_and_lossy_link_slows_its_charger_only(tmp_path: Path) -> None:
    """[A05] 5 s of delay each way, frames in pieces, every tenth piece lost once: no reconnects, ticks on time."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, proxied(site.gateway.port) as proxy:
            proxy.delay_s, proxy.stall_every, proxy.piece_bytes = 5.0 / FACTOR / 2, 10, 512
            async with site.commissioned(via=proxy) as raw:
                began_s = site.clock.monotonic_s()
                await raw.ask("StartTransaction", site.start())
                await until(lambda: raw.profiles("TxProfile"))
                while site.clock.monotonic_s() - began_s < (600.0 if SOAK else 60.0):
                    assert (await raw.ask("Heartbeat", {}))[0] == 3
                assert (proxy.n_links, site.odd_is_online) == (1, True)
                await until(lambda: site.manager.state.evses[ODD_EVSE].orders[-1].outcome is Outcome.ACCEPTED)

    asyncio.run(play())


def test_a14_a_ping_without_a_pong_ends_the_link(tmp_path: Path) -> None:
    """[A14]"""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=limited(ping_s=0.3)) as site:
            async with link_by_hand(site.gateway.port, ODD, ODD_PASSWORD) as hand:
                await until(lambda: site.odd_is_online)
                opcode, _ = await hand.frame_in()
                while opcode != PING:
                    opcode, _ = await hand.frame_in()
                await until(lambda: ODD not in site.gateway.connected, 5.0)
            assert not site.odd_is_online

    asyncio.run(play())


def test_a14_pongs_that_nobody_asked_for_mean_nothing(tmp_path: Path) -> None:
    """[A14]"""

    async def play() -> None:
        async with beside_two(tmp_path) as site, link_by_hand(site.gateway.port, ODD, ODD_PASSWORD) as hand:
            for n in range(50):
                hand.send(PONG, b"nobody asked" * (n % 3))
            hand.call("after", "Heartbeat", {})
            assert (await hand.answer_to("after"))[0] == 3
            assert site.odd_is_online

    asyncio.run(play())


@pytest.mark.parametrize("ping_s", [0.3, None])
def test_a15_a_router_that_forgets_idle_links_sees_pings_in_time(tmp_path: Path, ping_s: float | None) -> None:
    """[A15] With pings the link stays; without them (the counter-example) the router ends it."""

    async def play() -> None:
        async with (
            beside_two(tmp_path, ocpp=limited(ping_s=ping_s)) as site,
            proxied(site.gateway.port) as proxy,
            site.odd(via=proxy) as raw,
        ):
            await until(lambda: any(c[2] == "TriggerMessage" for c in raw.calls))
            proxy.idle_s = 1.0
            await raw.ask("Heartbeat", {})
            for _ in range(60):
                await asyncio.sleep(0.05)
            stayed = ODD in site.gateway.connected
            assert (stayed, proxy.n_links) == (ping_s is not None, 1)

    asyncio.run(play())
