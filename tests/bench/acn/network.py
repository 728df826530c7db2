"""The Caltech garage's network, from the public description of `caltech_acn`: chargers between two lines each, two pods,
a delta-wye transformer of variable size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.parts import Complexes, Floats

VOLTAGE_V = 208.0
EVSE_MAX_A = 32.0
A_PER_KW = 1000.0 / VOLTAGE_V
POD_A = 80.0
CC_POD = frozenset({322, 493, 496, 320, 495, 321, 323, 494})
AV_POD = frozenset({324, 325, 326, 327, 489, 490, 491, 492})
BETWEEN = {
    "AB": frozenset({308, 508, 303, 513, 310, 506, 316, 500, 318, 498}) | CC_POD | AV_POD,
    "BC": frozenset({304, 512, 305, 511, 313, 503, 311, 505, 317, 499, 148, 149, 212, 213}),
    "CA": frozenset({307, 509, 309, 507, 306, 510, 315, 501, 319, 497, 312, 504, 314, 502}),
}
ANGLE = {"AB": np.exp(1j * np.pi / 6), "BC": np.exp(-1j * np.pi / 2), "CA": np.exp(1j * 5 * np.pi / 6)}
LINES = ("secondary-a", "secondary-b", "secondary-c", "primary-a", "primary-b", "primary-c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Rows and magnitudes for a set of stations (columns in their order), limits in A."""

    row_names: tuple[str, ...]
    row_coef: Floats
    row_limit: Floats
    phasor_coef: Complexes | None = None
    phasor_limit: Floats | None = None


def single_phase(stations: tuple[str, ...], cap_kw: float) -> Network:
    """One limit on the sum of all currents."""
    return Network(
        row_names=("site",),
        row_coef=np.full((1, len(stations)), A_PER_KW),
        row_limit=np.array([cap_kw * A_PER_KW]),
    )


def three_phase(stations: tuple[str, ...], cap_kw: float) -> Network:
    """Two pods, and the magnitudes of the currents on both sides of the transformer."""
    numbers = [int(s.removeprefix("CA-")) for s in stations]
    legs = {leg: np.array([n in members for n in numbers], dtype=float) * ANGLE[leg] for leg, members in BETWEEN.items()}
    a, b, c = legs["AB"] - legs["CA"], legs["BC"] - legs["AB"], legs["CA"] - legs["BC"]
    coef = np.array([a, b, c, (a - c) / 4, (b - a) / 4, (c - b) / 4]) * A_PER_KW
    limits = [cap_kw * 1000 / 3 / 120] * 3 + [cap_kw * 1000 / 3 / 277] * 3
    pods = [[n in CC_POD for n in numbers], [n in AV_POD for n in numbers]]
    return Network(
        row_names=("cc-pod", "av-pod"),
        row_coef=np.array(pods, dtype=float) * A_PER_KW,
        row_limit=np.array([POD_A, POD_A]),
        phasor_coef=coef,
        phasor_limit=np.array(limits),
    )


def linear(network: Network) -> Network:
    """The same with absolute coefficients instead of magnitudes: safe, and pessimistic for loads between lines."""
    assert network.phasor_coef is not None
    assert network.phasor_limit is not None
    return Network(
        row_names=(*network.row_names, *LINES),
        row_coef=np.vstack([network.row_coef, np.abs(network.phasor_coef)]),
        row_limit=np.concatenate([network.row_limit, network.phasor_limit]),
    )
