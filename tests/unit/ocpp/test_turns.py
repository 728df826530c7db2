"""Work that can wait has a bounded time in each round, whatever becomes of it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from loadmgr.ocpp.transport.turns import ROUND_S, Turns
from tests.support.loose_peer import Loop


class Round(Loop):
    """An event loop that is turned one round at a time."""

    def once(self) -> None:
        soon = list(self._soon)
        self._soon.clear()
        for call, arguments in soon:
            call(*arguments)


class Piece:
    """Work of so many seconds, so many times."""

    def __init__(self, turns: Turns, loop: Loop, seconds: float, times: int = 1) -> None:
        self.turns, self.loop, self.seconds, self.left = turns, loop, seconds, times

    def resume(self) -> None:
        self.loop.now_s += self.seconds
        self.left -= 1
        if self.left:
            self.turns.put(self)


def made() -> tuple[Round, Turns]:
    loop = Round()
    return loop, Turns(cast(asyncio.AbstractEventLoop, loop))


def test_each_round_takes_its_time_and_one_piece_more_at_most() -> None:
    loop, turns = made()
    pieces = [Piece(turns, loop, ROUND_S * 0.4) for _ in range(10)]
    for piece in pieces:
        turns.put(piece)
    loop.once()
    assert [p.left for p in pieces] == [0] * 3 + [1] * 7
    loop.once()
    assert [p.left for p in pieces] == [0] * 6 + [1] * 4
    loop.once()
    loop.once()
    assert not any(p.left for p in pieces)


def test_who_has_more_to_do_comes_last() -> None:
    loop, turns = made()
    long, short = Piece(turns, loop, ROUND_S, times=3), Piece(turns, loop, ROUND_S)
    turns.put(long)
    turns.put(short)
    loop.once()
    loop.once()
    assert (long.left, short.left) == (2, 0)
    loop.once()
    loop.once()
    assert long.left == 0


def test_a_piece_that_fails_does_not_stop_the_others() -> None:
    class Broken(Piece):
        def resume(self) -> None:
            raise RuntimeError("broken")

    loop, turns = made()
    after = Piece(turns, loop, 0.0)
    turns.put(Broken(turns, loop, 0.0))
    turns.put(after)
    with pytest.raises(RuntimeError, match="broken"):
        loop.once()
    loop.once()
    assert after.left == 0
    turns.put(again := Piece(turns, loop, 0.0))
    loop.once()
    assert again.left == 0
