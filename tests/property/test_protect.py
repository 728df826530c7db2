"""Whatever happens, what chargers may draw at worst fits every limit that held when it was decided [P1]."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.control import guard
from loadmgr.control.controller import Controller
from loadmgr.control.state import SiteState, allowed_a
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.samples import PerPhase
from tests.support.builders import NOON, a_site, a_state, connected, drawn, plugged

N = 5
ACTIONS = ("plug", "unplug", "offline", "online", "answer", "refuse", "silence", "sample", "wait", "long wait")


def worst_load(state: SiteState, second: float) -> tuple[PerPhase, float]:
    """All EVSEs at the most they may draw, by plain loops."""
    current = [0.0, 0.0, 0.0]
    power_kw = 0.0
    now = NOON + timedelta(seconds=second)
    for evse in state.site.evses.values():
        known = state.evses[evse.id]
        session = state.sessions.get(known.session) if known.session else None
        if session is None and known.status is ev.EvseStatus.AVAILABLE:
            continue
        n_used = session.n_phases if session is not None and session.n_phases else evse.caps.n_phases
        value = allowed_a(state, evse.id, now)
        for phase in evse.phases_of(n_used):
            current[phase] += value
        power_kw += value * evse.caps.voltage_v * n_used / 1000
    return (current[0], current[1], current[2]), power_kw


class Play:
    """Random events against a controller."""

    def __init__(self, fuse_a: float) -> None:
        self.site = a_site(fuse_a=fuse_a, n=N, power_kw=fuse_a * 0.6)
        state = a_state(self.site, *connected(self.site))
        self.controller = Controller(state.context, state)
        self.second = 0.0
        self.open: list[tuple[int, EvseId]] = []

    def act(self, action: str, number: int) -> None:
        now = NOON + timedelta(seconds=self.second)
        evse, station = EvseId(f"S{number}/1"), StationId(f"S{number}")
        state = self.controller.state
        if action == "plug" and state.evses[evse].session is None and state.stations[station].is_connected:
            self.controller.observe(plugged(number, now, hours=3))
        elif action == "unplug" and state.evses[evse].session is not None:
            self.controller.observe([ev.SessionEnded(at=now, session=state.evses[evse].session)])  # type: ignore[arg-type]
            self.controller.observe([ev.EvseStatusChanged(at=now, evse=evse, status=ev.EvseStatus.AVAILABLE)])
        elif action == "offline":
            self.controller.observe([ev.StationDisconnected(at=now, station=station)])
        elif action == "online":
            self.controller.observe([ev.StationConnected(at=now, station=station, ocpp="1.6")])
        elif action in {"answer", "refuse"} and self.open:
            no, whose = self.open.pop(0)
            accepted = action == "answer"
            self.controller.observe([ev.SetpointAnswered(at=now, no=no, evse=whose, accepted=accepted)])
        elif action == "silence" and self.open:
            no, whose = self.open.pop(0)
            self.controller.observe([ev.SetpointUnanswered(at=now, no=no, evse=whose)])
        elif action == "sample" and state.evses[evse].session is not None:
            value = min(allowed_a(state, evse, now), 32.0)
            self.controller.observe([drawn(number, now, (value, value, value))])
        self.second += {"wait": 5.0, "long wait": 400.0}.get(action, 1.0)

    def tick(self) -> None:
        now = NOON + timedelta(seconds=self.second)
        decision = self.controller.protect(now)
        self.controller.observe(decision.events)
        for command in decision.commands:
            setpoint = command.setpoint  # type: ignore[union-attr]
            assert setpoint.current_a == 0.0 or setpoint.current_a >= 6.0
            assert setpoint.valid_until > now
            self.open.append((setpoint.no, setpoint.evse))


@settings(max_examples=80, deadline=None)
@given(
    st.floats(7.0, 120.0),
    st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(1, N)), min_size=5, max_size=60),
)
def test_orders_in_force_always_fit_the_limits(fuse_a: float, script: list[tuple[str, int]]) -> None:
    play = Play(fuse_a)
    for action, number in script:
        play.act(action, number)
        play.tick()
        load = worst_load(play.controller.state, play.second)
        now = NOON + timedelta(seconds=play.second)
        assert guard.violations(play.site, (), {play.site.root: load}, now) == ()
