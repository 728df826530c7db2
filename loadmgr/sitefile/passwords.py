"""What OCPP asks of a password, by version (domain rule E.2)."""

from __future__ import annotations

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError

SHORTEST = 16
"""Characters, of every version; in 1.6 bytes."""
LONGEST = 64
"""Characters, of 2.1; a site file does not know which version a station will speak."""
HEX_DIGITS = (32, 40)
"""Least and most digits of a hex key of 1.6: 16 to 20 bytes."""


def hashed(password: str, *, is_random: bool = False) -> str:
    """An argon2id hash for ``password_hash``, with the parameters that OWASP names as the least.

    ``is_random``: it was drawn at random and nobody can guess it, however fast; then a hash need not be slow, and two
    thousand stations that come back at once do not wait for each other.
    """
    if is_random:
        return PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(password)
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(password)


def longest(ocpp: str) -> int:
    """The most characters that a password may have in a version: 40 before 2.1, where it became 64 [E.2]."""
    return LONGEST if ocpp == "2.1" else 40


def password_fault(password: str, ocpp: str) -> str:
    """What is wrong with a password that is to be set over this version, empty when nothing is [E.2, G04]."""
    n_bytes = len(password.encode())
    if ocpp == "1.6" and not SHORTEST <= n_bytes <= longest(ocpp):
        return f"has {n_bytes} bytes, and 1.6 takes {SHORTEST} to {longest(ocpp)}"
    if ocpp != "1.6" and not SHORTEST <= len(password) <= longest(ocpp):
        return f"has {len(password)} characters, and {ocpp} takes {SHORTEST} to {longest(ocpp)}"
    return "has control characters" if has_control(password) else ""


def has_control(text: str) -> bool:
    """Are there control characters, which basic authentication does not allow (RFC 7617, section 2)?"""
    return any(ord(c) < 32 or ord(c) == 127 for c in text)


def is_hex_key(password: str) -> bool:
    """Is it the text of a key of 16 to 20 bytes?"""
    digits = len(password)
    is_hex = all(c in "0123456789abcdefABCDEF" for c in password)
    return is_hex and digits % 2 == 0 and HEX_DIGITS[0] <= digits <= HEX_DIGITS[1]


def is_hash(text: str) -> bool:
    """Is it a hash that can be verified: argon2 in its usual text form?"""
    try:
        extract_parameters(text)
    except InvalidHashError:
        return False
    return True
