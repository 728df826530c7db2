"""What has settled is set aside, looked through now and then, and everything is as before at the end."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from loadmgr import heap


class _Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def test_what_has_settled_is_set_aside_and_garbage_in_it_still_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    before, n_frozen = gc.get_threshold(), gc.get_freeze_count()
    monkeypatch.setattr(heap, "SETTLE_S", 0.02)
    monkeypatch.setattr(heap, "FULL_S", 0.2)

    async def main() -> None:
        async with heap.short_pauses():
            ring = _Ring()
            gone = weakref.ref(ring)
            await asyncio.sleep(0.05)
            assert gc.get_freeze_count() > n_frozen + 1000
            assert gc.get_threshold()[0] == heap.YOUNG
            del ring
            async with asyncio.timeout(5):
                while gone() is not None:
                    await asyncio.sleep(0.02)

    asyncio.run(main())
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
