"""Check-ins, the words of both sides on them, the code at the place, and what was done together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field, StringConstraints

from api.schemas.base import Answer, Body, FrameCode, Line, Moment, Passage, Real, Shown
from grids.acts.presence import CheckIn
from grids.rules.permissions import Actor
from grids.rules.presence import PresenceFlag, Witness
from grids.rules.tasks import CheckInMethod
from grids.tables import Attendance, JointAction

__all__ = ["ActionIn", "CheckInIn", "CodeOut", "JointActionOut", "ParticipantOut", "PresenceWordOut"]

_Key = Annotated[str, StringConstraints(min_length=8, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]


class CheckInIn(Body):
    """How somebody showed that they came; what was kept on the device without a network says when that was."""

    method: CheckInMethod
    lon: Real | None = None
    lat: Real | None = None
    frame: FrameCode | None = None
    accuracy_m: Annotated[float, Field(strict=True, ge=0, le=1e6)] | None = None
    code: Line | None = Field(default=None, description="the six digits that the town shows; for code and qr")
    reason: Passage | None = Field(default=None, description="needed by hand, and farther than 200 m away")
    device: _Key | None = Field(default=None, description="the same for all records of one device")
    claimed_at: Moment | None = Field(default=None, description="when it was made, by the device's clock")
    sent_at: Moment | None = Field(default=None, description="when it was sent, by the same clock")
    client_key: _Key | None = Field(
        default=None, description="the device's own: sent twice, it is one record"
    )
    person_name: Line | None = None

    def to_check_in(self, admit: Callable[[str], str]) -> CheckIn:
        """Return it as the use case takes it; admit : names the frame, or refuses it."""
        said = self.model_dump()
        return CheckIn(**said | {"frame": None if self.frame is None else admit(self.frame)})


class PresenceWordOut(Answer):
    """What one side said of a department's coming."""

    witness: Witness
    came: bool
    method: CheckInMethod | None
    recorded_at: Shown
    claimed_at: Shown | None
    distance_m: float | None
    accuracy_m: float | None
    minutes_late: int | None
    person_name: str | None
    reason: str | None
    flags: list[PresenceFlag] = Field(description="what is doubtful; for the town and the district only")

    @classmethod
    def all(cls, words: Sequence[Attendance], me: Actor) -> list[PresenceWordOut]:
        """Return the words as one reader may see them."""
        shown = [cls.model_validate(word) for word in words]
        if me.department_id is not None:
            shown = [word.model_copy(update={"flags": []}) for word in shown]
        return shown


class CodeOut(Answer):
    """The six digits that the town shows at the place, and the same as a QR code of an address."""

    code: str
    valid_until: Shown
    address: str = Field(description="what the QR code holds: the page on which a department checks in")
    svg: str


class ActionIn(Body):
    """What was done together; the town may say later what follows it."""

    measures: Passage | None = Field(default=None, description="ends the joint action")
    documents: list[Line] = Field(default_factory=list, max_length=50)
    follow_up: Passage | None = None


class ParticipantOut(Answer):
    """A department that took part."""

    department: str
    staff: str | None
    part: str


class JointActionOut(Answer):
    """What the departments did together at the place."""

    started_at: Shown
    ended_at: Shown | None
    participants: list[ParticipantOut]
    measures: str | None
    documents: list[str]
    follow_up: str | None

    @classmethod
    def of(cls, action: JointAction | None) -> JointActionOut | None:
        """Return it, None where there was none."""
        if action is None:
            return None
        return cls.model_validate(
            {
                **{name: getattr(action, name) for name in cls.model_fields},
                "participants": [ParticipantOut(**one) for one in action.participants],
            }
        )
