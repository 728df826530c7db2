"""Every event survives its way through JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadmgr import codec
from loadmgr.domain.events import Event
from loadmgr.domain.limits import Limit, LimitKind

TIMES = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))
st.register_type_strategy(datetime, TIMES)
st.register_type_strategy(float, st.floats(0.0, 1e6))


LIMITS = st.builds(
    Limit,
    id=st.text(max_size=8),
    node=st.text(max_size=8),
    source=st.text(max_size=8),
    current_a=st.floats(0.0, 1e4),
    power_kw=st.none() | st.floats(0.0, 1e4),
    from_at=st.none(),
    until_at=st.none() | TIMES,
    kind=st.sampled_from(LimitKind),
)
st.register_type_strategy(Limit, LIMITS)
st.register_type_strategy(int, st.integers(0, 2**31))


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda k: k.__name__)
def test_every_event_comes_back_as_it_was(kind: type) -> None:
    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.builds(kind))
    def check(event: Event) -> None:
        assert codec.decode(codec.encode(event)) == event

    check()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "not JSON"),
        (b'{"kind":"Nope","v":1}', "'Nope' is unknown"),
        (b'{"kind":"Ticked","v":2,"at":"2026-01-01T00:00:00+00:00"}', "version 2"),
        (b'{"kind":"Ticked","v":1,"at":"noon"}', "cannot be read"),
        (b'{"kind":"Ticked","v":1,"when":"2026-01-01T00:00:00+00:00"}', "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(data: bytes, words: str) -> None:
    with pytest.raises(codec.CodecError, match=words):
        codec.decode(data)
