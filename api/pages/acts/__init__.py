"""What the forms of the pages do: for each act of the state tables a function from the form to its use case.

One module a topic; each says which acts it carries out, and the pages ask here.
"""

from __future__ import annotations

from collections.abc import Mapping

from api.pages.acts import (
    confirming,
    disputes,
    incidents,
    intake,
    onekey,
    pauses,
    places,
    presence,
    returns,
    scores,
    slips,
    tasks,
    whistles,
)
from api.pages.visit import Act
from gis.errors import NotFound

__all__ = ["act_for"]

_ACTS: Mapping[tuple[str, str], Act] = {
    **confirming.ACTS,
    **disputes.ACTS,
    **incidents.ACTS,
    **intake.ACTS,
    **pauses.ACTS,
    **places.ACTS,
    **presence.ACTS,
    **onekey.ACTS,
    **returns.ACTS,
    **scores.ACTS,
    **slips.ACTS,
    **tasks.ACTS,
    **whistles.ACTS,
}


def act_for(machine: str, action: str) -> Act:
    """Return what carries out an act. Raises `NotFound` ("no_such_address") for an act without a form."""
    act = _ACTS.get((machine, action))
    if act is None:
        raise NotFound("no_such_address", f"there is no act '{action}' on a thing of this kind")
    return act
