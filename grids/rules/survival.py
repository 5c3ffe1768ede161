"""How long things take when some are not over yet: the Kaplan-Meier estimate.

A case that is still open has taken at least as long as it has been open. To leave it out makes a slow grid look
quick; here it counts as censored: it is among those at risk up to its last known minute, and no longer.

Source: Kaplan & Meier (1958), Journal of the American Statistical Association 53(282), 457-481.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.errors import InvalidInput

__all__ = ["Survival", "by_group", "kaplan_meier"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_ROUNDING = 1e-9
"""A half that comes out of products as 0.5 + 1e-16 is a half."""


@dataclass(frozen=True, slots=True)
class Survival:
    """The share that is not over yet, as steps.

    times : (k,) minutes, rising, each one at which something ended.
    survival : (k,) share that takes longer than that, falling, 0 to 1.
    """

    times: Floats
    survival: Floats

    def quantile(self, p: float) -> float:
        """Return the smallest time by which a share of at least `p` is over, nan when that is never reached.

        p : above 0 and below 1; 0.5 for the median. Where the curve lies level on 1 - p, this is the beginning of
        the level part. Raises `InvalidInput` ("share_out_of_range").
        """
        _check_quantiles((p,))
        reached = int((self.survival > 1 - p + _ROUNDING).sum())
        return float(self.times[reached]) if reached < self.times.size else float("nan")


def kaplan_meier(minutes: ArrayLike, ended: ArrayLike) -> Survival:
    """Estimate how long things take.

    minutes : (n,) minutes that each took, or has taken so far. ended : (n,) bool, False for what is not over yet.
    Of those with the same minutes, the ones that ended come first: an open one was still at risk then.
    Raises `InvalidInput`: "lengths_differ", "coordinate_not_finite".
    """
    minutes_, ended_ = _checked(minutes, ended)
    steps = _steps(np.zeros(minutes_.size, dtype=np.int64), minutes_, ended_)
    return Survival(steps.times, steps.survival)


def by_group(
    group: ArrayLike, minutes: ArrayLike, ended: ArrayLike, groups: int, quantiles: Sequence[float]
) -> Floats:
    """Return the Kaplan-Meier quantiles of each group, as `Survival.quantile` does for one.

    group : (n,) whole numbers from 0 to `groups` - 1, in any order. minutes, ended : as for `kaplan_meier`.
    quantiles : each above 0 and below 1. Returns (groups, len(quantiles)) minutes, nan where a quantile is never
    reached and for a group without members.
    Raises `InvalidInput`: "lengths_differ", "coordinate_not_finite", "index_out_of_range", "share_out_of_range".
    """
    minutes_, ended_ = _checked(minutes, ended)
    group_ = np.asarray(group, dtype=np.int64)
    _check_length("group", group_.shape, minutes_.shape)
    if group_.size and not (group_.min() >= 0 and group_.max() < groups):
        raise InvalidInput(
            "index_out_of_range",
            f"group must be from 0 to {groups - 1}, but is from {group_.min()} to {group_.max()}",
            field="group",
            got=[int(group_.min()), int(group_.max())],
            wanted=[0, groups - 1],
        )
    _check_quantiles(quantiles)
    steps = _steps(group_, minutes_, ended_)
    many = np.bincount(steps.group, minlength=groups)
    begin = np.cumsum(many) - many
    found = np.full((groups, len(quantiles)), np.nan)
    for column, p in enumerate(quantiles):
        above = np.bincount(steps.group[steps.survival > 1 - p + _ROUNDING], minlength=groups)
        reached = above < many
        found[reached, column] = steps.times[(begin + above)[reached]]
    return found


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of all groups behind one another: by group, then by time."""

    group: Ints
    times: Floats
    survival: Floats


def _steps(group: Ints, minutes: Floats, ended: Bools) -> _Steps:
    if not _in_order(group, minutes):
        order = np.lexsort((minutes, group))
        group, minutes, ended = group[order], minutes[order], ended[order]
    starts_group = np.diff(group, prepend=-1) != 0
    starts_time = starts_group | (np.diff(minutes, prepend=np.nan) != 0)
    first = np.flatnonzero(starts_time)
    if not first.size:
        return _Steps(group, minutes, np.empty(0))
    ends_here = np.add.reduceat(ended.astype(np.int64), first)
    group_start = np.flatnonzero(starts_group)
    sizes = np.diff(group_start, append=group.size)
    past_group = np.repeat(group_start + sizes, sizes)
    at_risk = (past_group[first] - first)[ends_here > 0]
    first, deaths = first[ends_here > 0], ends_here[ends_here > 0]
    of = group[first]
    return _Steps(of, minutes[first], _products(of, 1 - deaths / at_risk))


def _in_order(group: Ints, minutes: Floats) -> bool:
    """Say whether rows are by group, then by time already: to see it costs a tenth of sorting them."""
    later, same = group[1:] > group[:-1], group[1:] == group[:-1]
    return bool((later | (same & (minutes[1:] >= minutes[:-1]))).all())


def _products(group: Ints, factor: Floats) -> Floats:
    """Return the running product of the factors (0 to 1) within each group.

    As a sum of logarithms that is taken back where a group begins, so that it stays small however many groups
    there are. A factor of 0 is the last of its group: then nobody is left.
    """
    none_left = factor <= 0
    logs = np.log(np.where(none_left, 1.0, factor))
    starts = np.flatnonzero(np.diff(group, prepend=-1) != 0)
    if starts.size > 1:
        logs[starts[1:]] -= np.add.reduceat(logs, starts)[:-1]
    return np.where(none_left, 0.0, np.exp(np.minimum(np.cumsum(logs), 0.0)))


def _checked(minutes: ArrayLike, ended: ArrayLike) -> tuple[Floats, Bools]:
    minutes_, ended_ = np.asarray(minutes, dtype=np.float64), np.asarray(ended, dtype=np.bool_)
    _check_length("ended", ended_.shape, minutes_.shape)
    broken = int((~np.isfinite(minutes_)).sum())
    if broken:
        raise InvalidInput(
            "coordinate_not_finite",
            f"minutes must be a number, but is not in {broken} of {minutes_.size}",
            field="minutes",
            wanted="a finite number",
            count=broken,
        )
    return minutes_, ended_


def _check_length(name: str, got: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if len(wanted) != 1 or got != wanted:
        raise InvalidInput(
            "lengths_differ",
            f"{name} must be as long as minutes, {wanted}, but is {got}",
            field=name,
            got=list(got),
            wanted=list(wanted),
        )


def _check_quantiles(quantiles: Sequence[float]) -> None:
    for p in quantiles:
        if not 0 < p < 1:
            raise InvalidInput(
                "share_out_of_range",
                f"a quantile must be above 0 and below 1, but is {p}",
                field="quantiles",
                got=str(p),
                wanted="above 0 and below 1",
            )
