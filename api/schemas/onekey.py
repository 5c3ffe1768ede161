"""The one-key whistle: what is proposed, as it goes out."""

from __future__ import annotations

from pydantic import Field

from api.schemas.base import Answer, Shown
from api.schemas.incidents import ChoiceOut
from api.schemas.places import Named
from grids.acts.onekey import Proposal
from grids.rules.whistles import WhistleType

__all__ = ["ProposalOut"]


class ProposalOut(Answer):
    """A level-3 whistle as it would go out now; its fields are those of the request that blows it."""

    incident: str
    draft: str | None = Field(description="number of the drafted whistle that it completes")
    type: WhistleType
    reason: str = Field(description="somebody's words, or a code of the system's own")
    departments: list[Named] = Field(description="lead first; empty where the list names nobody")
    rule: str
    at_once: bool = Field(description="an emergency: no time has to be appointed")
    appointed_at: Shown
    appointed_place: str
    due_at: Shown = Field(description="when the departments have to be done")
    response_minutes: int
    contact_name: str
    contact_phone: str | None
    why: list[ChoiceOut] = Field(description="what the proposal follows from, that of the departments first")

    @classmethod
    def of(cls, made: Proposal) -> ProposalOut:
        """Return a proposal."""
        return cls.model_validate(made)
