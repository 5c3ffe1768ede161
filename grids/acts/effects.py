"""What a clock does to its case when it runs out, besides being settled, noted and told: one line for each effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from grids.acts import disputes, pauses, presence, scores, slips
from grids.acts.case import Case
from grids.acts.ladder import climb
from grids.rules.deadlines import RULES, DeadlineKind, Effect
from grids.tables import Deadline, Task, Whistle

__all__ = ["carry_out", "changes_more", "reads_back"]

_Carry = Callable[[Case, Deadline, Whistle | None, Task | None], object]


def carry_out(case: Case, clock: Deadline, whistle: Whistle | None, task: Task | None) -> None:
    """Do to a case what the clock that just ran out does."""
    for effect in (_EFFECTS.get(RULES[clock.kind].effect), _AFTER.get(clock.kind)):
        if effect is not None:
            effect(case, clock, whistle, task)


def changes_more(kind: DeadlineKind) -> bool:
    """Say whether such a clock changes more than itself when it runs out: a state, a mark, another clock, a paper."""
    return RULES[kind].effect in _EFFECTS or kind in _AFTER


def reads_back(kind: DeadlineKind) -> bool:
    """Say whether such an effect reads what has just been written of its case: nothing of that may be put off."""
    return kind is DeadlineKind.SLIP_ANSWER or RULES[kind].effect in _READS_BACK


_READS_BACK = frozenset({Effect.APPRAISE, Effect.NO_SHOW, Effect.RESUME})


def _climb(case: Case, _clock: Deadline, whistle: Whistle | None, _task: Task | None) -> None:
    if whistle is not None:
        climb(case, whistle, "no_answer_in_time")


_EFFECTS: Mapping[Effect, _Carry] = {
    Effect.APPRAISE: scores.window_over,
    Effect.CLIMB: _climb,
    Effect.NO_SHOW: lambda case, _clock, whistle, task: presence.no_show(case, whistle, task),
    Effect.RESUME: lambda case, _clock, _whistle, _task: pauses.resume_by_clock(case),
    Effect.SLIP: slips.by_clock,
}

# those whose miss marks the case or the part, and leads to a slip
_AFTER: Mapping[DeadlineKind, _Carry] = {
    **dict.fromkeys((DeadlineKind.RESPOND, DeadlineKind.COMPLETE, DeadlineKind.HANDLE), slips.after_miss),
    # the stage of a dispute: its parties and the leader hear of it too; a rest that is over ends
    DeadlineKind.DISPUTE: disputes.overdue,
}
