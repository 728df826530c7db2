"""Ours beside other open-source smart-charging optimisers, each through its public API on the same problem.

Every peer lives in a virtual environment of its own under ``.bench-venvs/``, made on first use, because their
dependencies conflict. A peer that cannot be installed or run is named with the reason and left out of the table. Costs
are computed from the plans by one function here, for ours as for theirs. ``peers/README.md`` says what differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers import ChargingProblem, PolicyWeights, Solution, Status, solve

Floats = NDArray[np.float64]

PEERS = Path(__file__).parent / "peers"
VENVS = Path(".bench-venvs")
RUNS = 7
"""Counted calls of a peer; ours gets ``OUR_RUNS`` before and as many after."""
OUR_RUNS = 15
PEER_TIMEOUT_S = 900.0
STEP_H = 0.25
CONTENTION = 0.6
"""Site limit as a part of what all present cars would draw at the fullest moment."""
PRICES = (0.12, 0.24, 0.38)
"""Money per kWh: night, day, evening peak."""
POWERS_KW = (3.7, 7.4, 11.0, 22.0)
TOLERANCE = 1e-5
"""Most by which a plan may leave the feasible set, kW or kWh, before the benchmark complains."""
NO_PREFERENCES = PolicyWeights(sooner_weight=0.0, change_weight=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The neutral problem; what a peer reads on stdin. Every stay is one interval that ends before the last step."""

    step_h: float
    power_max_kw: Floats
    need_kwh: Floats
    import_limit_kw: Floats
    price_per_kwh: Floats

    def as_json(self, runs: int) -> str:
        """What ``peers/peer_io.py`` reads."""
        arrays = {name: getattr(self, name).tolist() for name in self.__slots__ if name != "step_h"}
        return json.dumps({"step_h": self.step_h, "runs": runs, **arrays})


def instances(seed: int, n: int, t: int, powers_kw: Sequence[float] = POWERS_KW) -> Instance:
    """A day of ``n`` stays of 4 to 10 h in ``t`` steps; contended, and every need can be met at the same time.

    It can, because each need is a part of what its car gets when all present cars share the site limit in proportion
    to their power. The price has three levels.
    """
    rng = np.random.default_rng(seed)
    last = t - 1
    hours = np.arange(t) * STEP_H
    first = np.minimum(rng.uniform(0.0, 19.0, n) / STEP_H, last - 4 / STEP_H).astype(int)
    end = np.minimum(first + np.round(rng.uniform(4.0, 10.0, n) / STEP_H).astype(int), last)
    steps = np.arange(t)
    inside = (steps >= first[:, None]) & (steps < end[:, None])
    power = inside * rng.choice(np.array(powers_kw), n)[:, None]
    drawn = power.sum(axis=0)
    limit = np.full(t, round(CONTENTION * float(drawn.max()), 1))
    share = np.minimum(1.0, limit / np.maximum(drawn, 1e-9))
    need = (power * share).sum(axis=1) * STEP_H * rng.uniform(0.5, 0.95, n)
    price = np.where(hours < 7, PRICES[0], np.where((hours >= 17) & (hours < 21), PRICES[2], PRICES[1]))
    return Instance(
        step_h=STEP_H, power_max_kw=power, need_kwh=np.round(need, 3), import_limit_kw=limit, price_per_kwh=price
    )


def energy_cost(instance: Instance, power_kw: Floats) -> float:
    """The common objective: money for the energy of a plan."""
    return float((power_kw.sum(axis=0) * instance.price_per_kwh).sum() * instance.step_h)


def delivered_kwh(instance: Instance, power_kw: Floats) -> Floats:
    """(S,) energy of a plan."""
    energy: Floats = power_kw.sum(axis=1) * instance.step_h
    return energy


def worst_breach(instance: Instance, power_kw: Floats) -> float:
    """How far a plan is outside the limits of cars and site, kW, or below a need, kWh."""
    return max(
        0.0,
        float((power_kw - instance.power_max_kw).max()),
        float(-power_kw.min()),
        float((power_kw.sum(axis=0) - instance.import_limit_kw).max()),
        float((instance.need_kwh - delivered_kwh(instance, power_kw)).max()),
    )


def ours(instance: Instance, options: PolicyWeights = NO_PREFERENCES) -> Solution:
    """The whole call that is timed: problem from plain arrays, then solve."""
    n, t = instance.power_max_kw.shape
    problem = ChargingProblem(
        session_keys=tuple(str(s) for s in range(n)),
        step_h=np.full(t, instance.step_h),
        first_step=0,
        power_max_kw=instance.power_max_kw,
        need_kwh=instance.need_kwh,
        room_kwh=np.full(n, np.inf),
        efficiency=np.ones(n),
        priority=np.ones(n),
        present_kw=np.zeros(n),
        row_coef=np.zeros((0, n)),
        row_limit=np.zeros((0, t)),
        row_names=(),
        row_soft_price=np.zeros(0),
        base_kw=np.zeros(t),
        pv_kw=np.zeros(t),
        import_limit_kw=instance.import_limit_kw,
        export_limit_kw=np.zeros(t),
        import_price_per_kwh=instance.price_per_kwh,
        export_price_per_kwh=np.zeros(t),
        options=options,
    )
    return _optimal(solve(problem))


def _optimal(solution: Solution) -> Solution:
    if solution.status is not Status.OPTIMAL:
        raise RuntimeError(f"ours ended {solution.status}: {solution.reason}")
    return solution


def _around(call: Callable[[], Solution], peer: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], float, Solution]:
    """The peer's answer between two rounds of ours, and ours' median: a machine that gets busy slows down both."""
    seconds: list[float] = []

    def round_of_ours() -> Solution:
        solution = call()  # not counted, as for the peers
        for _ in range(OUR_RUNS):
            begun = time.perf_counter()
            solution = call()
            seconds.append(time.perf_counter() - begun)
        return solution

    round_of_ours()
    answer = peer()
    solution = round_of_ours()
    return answer, statistics.median(seconds), solution


class PeerMissingError(Exception):
    """The peer cannot be installed or does not run here."""


def _python_of(peer: str) -> Path:
    """The peer's interpreter; its environment is made when the requirements are new."""
    needs = PEERS / f"requirements-{peer}.txt"
    folder = VENVS / peer
    ready = folder / ".ready"
    stamp = hashlib.sha256(needs.read_bytes()).hexdigest()
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if ready.is_file() and ready.read_text() == stamp:
        return python.absolute()
    print(f"{peer}: installing into {folder}", file=sys.stderr)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(needs)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PeerMissingError(f"cannot be installed: {_last_line(done.stderr)}")
    ready.write_text(stamp)
    return python.absolute()


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


def ask(peer: str, instance: Instance, runs: int = RUNS) -> dict[str, Any]:
    """The peer's answer: per mode its seconds and its plan."""
    command = [str(_python_of(peer)), str(PEERS / f"{peer}_peer.py")]
    try:
        done = subprocess.run(
            command,
            input=instance.as_json(runs),
            capture_output=True,
            text=True,
            check=False,
            timeout=PEER_TIMEOUT_S,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    except subprocess.TimeoutExpired:
        raise PeerMissingError(f"gave no answer within {PEER_TIMEOUT_S:.0f} s") from None
    if done.returncode:
        raise PeerMissingError(f"does not run: {_last_line(done.stderr)}")
    answer: dict[str, Any] = json.loads(done.stdout)
    for mode in answer["modes"].values():
        mode["power_kw"] = np.array(mode["power_kw"])
    return answer


def _row(name: str, value: float, unit: str, better: str, target: float | None) -> dict[str, Any]:
    met = None if target is None else (value >= target if better == "higher" else value <= target)
    return {"name": name, "value": value, "unit": unit, "better": better, "target": target, "met": met}


def _size(instance: Instance) -> str:
    n, t = instance.power_max_kw.shape
    return f"{n} x {t}"


def _ours_around(
    peer: str, instance: Instance, options: PolicyWeights = NO_PREFERENCES
) -> tuple[dict[str, Any], float, Solution]:
    """Both on one instance. It promises that nothing need fall short, so that is checked for ours."""
    answer, seconds, solution = _around(lambda: ours(instance, options), lambda: ask(peer, instance))
    if (breach := worst_breach(instance, solution.power_kw)) > TOLERANCE:
        raise RuntimeError(f"our plan leaves the feasible set by {breach:g}")
    return answer, seconds, solution


def _same_objective(
    peer: str, instance: Instance, targets: dict[str, float | None], rel_target: float
) -> list[dict[str, Any]]:
    """Rows for a peer that minimises energy cost over the same set: times per mode, and how far the costs differ."""
    answer, our_s, solution = _ours_around(peer, instance)
    our_cost = energy_cost(instance, solution.power_kw)
    rows = []
    worst = 0.0
    for mode, target in targets.items():
        found = answer["modes"][mode]
        cost = energy_cost(instance, found["power_kw"])
        breach = worst_breach(instance, found["power_kw"])
        worst = max(worst, abs(cost - our_cost) / our_cost)
        print(
            f"{peer} ({mode}): {found['seconds'] * 1e3:.1f} ms, cost {cost:.6f}, outside the set by {breach:.1e}; "
            f"ours: {our_s * 1e3:.2f} ms, cost {our_cost:.6f}"
        )
        rows.append(_row(f"ours vs {peer} ({mode}) {_size(instance)}", found["seconds"] / our_s, "x", "higher", target))
    rows.append(_row(f"{peer}: cost apart from ours, {_size(instance)}", worst, "rel", "lower", rel_target))
    return rows


def _flexmeasures() -> list[dict[str, Any]]:
    return _same_objective("flexmeasures", instances(1, 54, 96), {"highspy": 30.0, "appsi_highs": 30.0}, 1e-4)


def _emhass() -> list[dict[str, Any]]:
    return _same_objective("emhass", instances(2, 10, 96), {"fresh": 15.0, "warm": None}, 1e-4)


def _largest_fraction(instance: Instance) -> float:
    """The largest part of its need that every car can get at once, by ours; bisection on ``need``, not timed."""
    low, high = 0.0, 8.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        tried = ours(replace(instance, need_kwh=instance.need_kwh * middle))
        if tried.shortfall_kwh.max() <= 1e-7:
            low = middle
        else:
            high = middle
    return low


def _optivgi() -> list[dict[str, Any]]:
    """Its objective knows no price: the largest common part of the needs counts, then use of the site, then calm.

    So the costs cannot agree; what can is the largest part. Ours keeps its default preferences, as its has such terms.
    """
    instance = instances(1, 54, 96)
    answer, our_s, solution = _ours_around("optivgi", instance, PolicyWeights())
    found = answer["modes"]["pulp"]
    power = found["power_kw"]
    theirs = float((delivered_kwh(instance, power) / instance.need_kwh).min())
    best = _largest_fraction(instance)
    print(
        f"optivgi: {found['seconds'] * 1e3:.0f} ms, outside the set by {worst_breach(instance, power):.1e}, every car "
        f"gets {theirs:.6f} of its need or more (ours, asked for that: {best:.6f}); it delivers "
        f"{power.sum() * STEP_H:.0f} kWh for {energy_cost(instance, power):.2f}, ours the needed "
        f"{instance.need_kwh.sum():.0f} kWh for {energy_cost(instance, solution.power_kw):.2f} in {our_s * 1e3:.2f} ms"
    )
    size = _size(instance)
    return [
        _row(f"ours vs optivgi {size}", found["seconds"] / our_s, "x", "higher", 10.0),
        _row(f"optivgi: largest part of all needs apart from ours, {size}", abs(theirs - best) / best, "rel", "lower", 1e-4),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Capacity rows ``coef @ power_kw <= limit`` that imply a bound on the magnitude of every phasor sum."""

    coef: Floats
    limit: Floats
    phasor: NDArray[np.complex128]
    limit_a: Floats

    def breach_a(self, power_kw: Floats) -> float:
        """How far a plan is beyond a phasor limit, A."""
        return float((np.abs(self.phasor @ power_kw) - self.limit_a[:, None]).max())


def _network(raw: dict[str, Any], spacing_deg: float = 15.0) -> Network:
    """From inside: a polygon in the circle of each limit, over the angles at which the sum can point.

    A negative coefficient is dropped, which can only tighten. The loss is 1 - cos(7.5°), under 1 % of the limit.
    """
    phasor = np.array(raw["coef"]) * np.exp(1j * np.deg2rad(np.array(raw["angle_deg"]))) * (1000 / raw["volts"])
    limit_a = np.array(raw["limit_a"])
    coefs, limits = [], []
    for line, limit in zip(phasor, limit_a, strict=True):
        present = line[line != 0]
        middle = np.angle((present / np.abs(present)).sum())
        offset = np.angle(present * np.exp(-1j * middle))
        count = max(1, int(np.ceil(np.rad2deg(np.ptp(offset)) / spacing_deg - 1e-9)))
        width = np.ptp(offset) / count
        for direction in middle + offset.min() + (np.arange(count) + 0.5) * width:
            coefs.append(np.maximum((line * np.exp(-1j * direction)).real, 0.0))
            limits.append(limit * np.cos(width / 2))
    return Network(coef=np.array(coefs), limit=np.array(limits), phasor=phasor, limit_a=limit_a)


def _fitted(instance: Instance, network: Network, seed: int) -> Instance:
    """The same stays with needs that the network can meet at the same time, by the argument of ``instances``."""
    drawn = network.coef @ instance.power_max_kw
    share = np.minimum(1.0, network.limit[:, None] / np.maximum(drawn, 1e-9))
    counts = np.where(network.coef[:, :, None] > 0, share[:, None, :], 1.0)
    part = np.random.default_rng(seed).uniform(0.5, 0.95, len(instance.need_kwh))
    need = (instance.power_max_kw * counts.min(axis=0)).sum(axis=1) * instance.step_h * part
    return replace(instance, need_kwh=np.round(need, 3))


def _ours_in(
    network: Network, step_h: float, power_max_kw: Floats, need_kwh: Floats, price: Floats, stations: Sequence[int]
) -> Solution:
    """Ours for the sessions at these stations, with the default preferences."""
    n, t = power_max_kw.shape
    rows = network.limit.size
    problem = ChargingProblem(
        session_keys=tuple(str(s) for s in stations),
        step_h=np.full(t, step_h),
        first_step=0,
        power_max_kw=power_max_kw,
        need_kwh=need_kwh,
        room_kwh=need_kwh,
        efficiency=np.ones(n),
        priority=np.ones(n),
        present_kw=np.zeros(n),
        row_coef=network.coef[:, list(stations)],
        row_limit=np.repeat(network.limit[:, None], t, axis=1),
        row_names=tuple(f"row{r}" for r in range(rows)),
        row_soft_price=np.full(rows, np.inf),
        base_kw=np.zeros(t),
        pv_kw=np.zeros(t),
        import_limit_kw=np.full(t, np.inf),
        export_limit_kw=np.zeros(t),
        import_price_per_kwh=price,
        export_price_per_kwh=np.zeros(t),
    )
    return _optimal(solve(problem))


def _our_day(instance: Instance, network: Network) -> Floats:
    """What ours delivers when it plans anew every step and knows only the cars that are there, as the rules do."""
    n, t = instance.power_max_kw.shape
    left = instance.need_kwh.copy()
    power = np.zeros((n, t))
    for step in range(t):
        here = np.nonzero((instance.power_max_kw[:, step] > 0) & (left > 1e-6))[0]
        if here.size == 0:
            continue
        rest = instance.power_max_kw[here, step:]
        stop = int(np.nonzero(rest.any(axis=0))[0][-1]) + 1
        price = instance.price_per_kwh[step : step + stop]
        plan = _ours_in(network, instance.step_h, rest[:, :stop], left[here], price, list(here))
        power[here, step] = plan.power_kw[:, 0]
        left[here] = np.maximum(left[here] - power[here, step] * instance.step_h, 0.0)
    return power


def _acnportal() -> list[dict[str, Any]]:
    """A rule decides one step and knows no price; ours plans every stay to its end. Times compare as they are."""
    unfitted = instances(3, 54, 96, powers_kw=(32 * 0.208,))
    network = _network(ask("acnportal", unfitted, runs=1)["network"])
    instance = _fitted(unfitted, network, seed=3)
    # One decision: a car at each of the 54 chargers, all just plugged in.
    lengths = (instance.power_max_kw > 0).sum(axis=1)
    rest = (np.arange(lengths.max()) < lengths[:, None]) * instance.power_max_kw.max()
    price = instance.price_per_kwh[24 : 24 + lengths.max()]
    everyone = list(range(54))
    answer, our_s, _ = _around(
        lambda: _ours_in(network, instance.step_h, rest, instance.need_kwh, price, everyone),
        lambda: ask("acnportal", instance, runs=51),
    )
    needed = instance.need_kwh.sum()
    power = _our_day(instance, network)
    ahead = _ours_in(network, instance.step_h, instance.power_max_kw, instance.need_kwh, instance.price_per_kwh, everyone)
    our_part = float(delivered_kwh(instance, power).sum() / needed)
    print(
        f"acnportal, one decision for 54 cars: ours {our_s * 1e3:.2f} ms for {lengths.max()} steps; a day of "
        f"{needed:.0f} kWh: ours delivers {our_part:.2%} for {energy_cost(instance, power):.2f}, phasor limits broken "
        f"by {max(network.breach_a(power), 0):.1e} A; had it known all arrivals: "
        f"{delivered_kwh(instance, ahead.power_kw).sum() / needed:.2%} for {energy_cost(instance, ahead.power_kw):.2f}"
    )
    rows = []
    for name, found in answer["modes"].items():
        part = float(delivered_kwh(instance, found["power_kw"]).sum() / needed)
        print(
            f"acnportal, {name}: one decision {found['seconds'] * 1e3:.2f} ms for 1 step; the day: {part:.2%} for "
            f"{energy_cost(instance, found['power_kw']):.2f}, phasor limits broken by "
            f"{max(network.breach_a(found['power_kw']), 0):.1e} A"
        )
        rows.append(_row(f"ours vs acnportal {name}, one decision, 54 cars", found["seconds"] / our_s, "x", "higher", None))
        rows.append(_row(f"energy of a day, ours to acnportal {name}", our_part / part, "x", "higher", None))
        apart = energy_cost(instance, found["power_kw"]) / part / (energy_cost(instance, power) / our_part)
        rows.append(_row(f"cost per kWh of a day, acnportal {name} to ours", apart, "x", "higher", None))
    return rows


def run() -> list[dict[str, Any]]:
    """All peers, one after the other."""
    rows: list[dict[str, Any]] = []
    for name, compare in (
        ("optivgi", _optivgi),
        ("acnportal", _acnportal),
        ("flexmeasures", _flexmeasures),
        ("emhass", _emhass),
    ):
        try:
            rows += compare()
        except PeerMissingError as missing:
            print(f"{name} is missing from the table: it {missing}")
    return rows
