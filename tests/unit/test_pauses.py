"""What has settled is set aside, looked through now and then, and everything is as before at the end."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref

import pytest

from loadmgr import pauses


class _Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def test_what_has_settled_is_set_aside_and_garbage_in_it_still_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    before, n_frozen, switch_s = gc.get_threshold(), gc.get_freeze_count(), sys.getswitchinterval()
    monkeypatch.setattr(pauses, "SETTLE_S", 0.02)
    monkeypatch.setattr(pauses, "FULL_S", 0.2)

    async def main() -> None:
        async with pauses.short_pauses():
            ring = _Ring()
            gone = weakref.ref(ring)
            await asyncio.sleep(0.05)
            assert gc.get_freeze_count() > n_frozen + 1000
            assert gc.get_threshold()[0] == pauses.YOUNG
            assert sys.getswitchinterval() == pytest.approx(pauses.SWITCH_S)
            del ring
            async with asyncio.timeout(5):
                while gone() is not None:
                    await asyncio.sleep(0.02)

    asyncio.run(main())
    assert gc.get_threshold() == before
    assert sys.getswitchinterval() == switch_s
    assert gc.get_freeze_count() == 0
