"""Work that can wait has a bounded time in each round, whatever becomes of it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from loadmgr.ocpp.transport.turns import MOST_S, ROUND_S, SHARE, Turns
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


def test_after_a_long_round_there_is_more_time_within_a_bound() -> None:
    """A storm of honest stations: those that are in have much to say, and the others must come in all the same [A07]."""
    loop, turns = made()
    pieces = [Piece(turns, loop, 0.001) for _ in range(100)]
    for piece in pieces:
        turns.put(piece)
    loop.once()
    done = sum(not p.left for p in pieces)
    assert done == 1
    loop.now_s += 0.04
    loop.once()
    assert sum(not p.left for p in pieces) - done in {10, 11}, SHARE
    done = sum(not p.left for p in pieces)
    loop.now_s += 1.0
    loop.once()
    assert sum(not p.left for p in pieces) - done <= MOST_S * 1000 + 1


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
