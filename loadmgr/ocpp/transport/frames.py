"""The fast path for ordinary frames: whole, masked, final text frames without extensions. ``websockets`` has the rest.

It is taken only between messages of an open link, and reads nothing but the header arithmetic of RFC 6455 section 5.2;
``tests/property/test_frames.py`` holds it against ``websockets`` byte by byte.
"""

from __future__ import annotations

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without wheels
    from websockets.utils import apply_mask

PLAIN_MAX = 65_535
"""Longer frames have an eight-byte length and go the ordinary way."""
PING = b"\x89\x00"
_TEXT, _PONG, _MASKED = 0x81, 0x8A, 0x80
_READ = frozenset({_TEXT, _PONG})
INCOMPLETE = -1
OTHER = -2
NOTHING = b""


def take(data: bytes, at: int) -> tuple[int, bytes | None]:
    """The frame that begins at ``at``: (where it ends, payload of a text or ``None`` for a pong).

    ``(INCOMPLETE, None)``: more bytes are needed; ``(OTHER, None)``: it is none of the two, or its length is written in
    eight bytes.
    """
    size = len(data)
    if size - at < 2:
        return INCOMPLETE, None
    first, second = data[at], data[at + 1]
    length = second - _MASKED
    if first not in _READ or length < 0 or length == 127 or (first == _PONG and length > 125):
        return OTHER, None
    head = at + 2
    if length == 126:
        if size - at < 4:
            return INCOMPLETE, None
        length = data[at + 2] << 8 | data[at + 3]
        head = at + 4
    end = head + 4 + length
    if end > size:
        return INCOMPLETE, None
    if first == _PONG:
        return end, None
    return end, apply_mask(data[head + 4 : end], data[head : head + 4])


def extent(data: bytes, at: int) -> int:
    """Where the frame ends that begins at ``at``, or ``INCOMPLETE``; whatever it is. It may end beyond the data."""
    size = len(data)
    if size - at < 2:
        return INCOMPLETE
    length = data[at + 1] & 0x7F
    mask = 4 if data[at + 1] & _MASKED else 0
    n_extra = 2 if length == 126 else 8 if length == 127 else 0
    if size - at < 2 + n_extra:
        return INCOMPLETE
    if n_extra:
        length = int.from_bytes(data[at + 2 : at + 2 + n_extra])
    return at + 2 + n_extra + mask + length


def text_frame(payload: bytes) -> bytes:
    """One unmasked text frame."""
    length = len(payload)
    if length < 126:
        return bytes((_TEXT, length)) + payload
    if length <= PLAIN_MAX:
        return b"\x81\x7e" + length.to_bytes(2) + payload
    return b"\x81\x7f" + length.to_bytes(8) + payload
