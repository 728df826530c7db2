"""The short way of a sample into the event log says what the long way says [P3]."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from loadmgr import codec
from loadmgr.domain.events import MeterSample
from loadmgr.domain.ids import MeterId, SessionId
from loadmgr.domain.samples import Measured, Quality
from loadmgr.storage import sample_rows

ZONES = st.sampled_from((UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-1))))
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=ZONES)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6).map(float)
MEASURED = st.builds(
    Measured,
    current_a=st.none() | st.tuples(*[st.floats(-1e6, 1e6)] * 3),
    power_kw=NUMBERS,
    energy_kwh=NUMBERS,
    offered_a=NUMBERS,
    soc_frac=NUMBERS,
    export_kwh=NUMBERS,
    offered_kw=NUMBERS,
    voltage_v=NUMBERS,
    interval_kwh=NUMBERS,
    estimated_kwh=NUMBERS,
    setpoint_kw=NUMBERS,
    has_phases=st.booleans(),
    anomaly=st.text(max_size=4),
)
SAMPLES = st.builds(
    MeterSample,
    at=TIMES,
    meter=st.text(min_size=1, max_size=9).map(MeterId),
    measured_at=TIMES,
    measured=MEASURED,
    session=st.none() | st.text(max_size=5).map(SessionId),
    quality=st.sampled_from(Quality),
)
NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
FULL = Measured(current_a=(15.8, 0.1 + 0.2, -0.0), power_kw=1e22, energy_kwh=1 / 3, soc_frac=5e-324, anomaly="jump")


@given(SAMPLES)
@example(MeterSample(at=NOW, meter=MeterId("S1/1"), measured_at=NOW, measured=Measured()))
@example(MeterSample(at=NOW, meter=MeterId('"\\\n\u2028é😀'), measured_at=NOW, measured=FULL, session=SessionId("")))
def test_a_sample_is_written_as_the_codec_writes_it_and_reads_back_the_same(event: MeterSample) -> None:
    text = sample_rows.text_of(event)
    assert json.loads(text) == json.loads(codec.encode(event))
    assert list(json.loads(text)) == list(json.loads(codec.encode(event)))
    assert codec.decode(text) == event
