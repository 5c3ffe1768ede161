"""How a department's result for one whistle came about: marks, penalties with the steps behind them, versions."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.deps import ReadOnly
from api.pages.forms import Filled
from api.pages.timeline import steps
from api.pages.visit import Visiting
from grids import casefile

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/tasks/{task_id}/result")
def show_result(task_id: int, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show a result to somebody who may see it; each penalty leads to the steps of the history that show it."""
    row = casefile.show_task(session, visit.me, task_id, now=visit.now)
    file = casefile.show_whistle(session, visit.me, row.whistle.number, steps=None)
    names = visit.names(session)
    shown = {seq for version in row.marks.versions for off in version.penalties for seq in off["seq"]}
    rest_on = [step for step in file.trace if step.seq in shown]
    return visit.show(
        session,
        "result.html",
        names=names,
        here=f"/tasks/{task_id}/result",
        sent=Filled(),
        task=row.task,
        whistle=row.whistle,
        incident=row.incident,
        marks=row.marks,
        acts=[act for act in row.actions if act.action in ("appeal", "decide_appeal")],
        steps={step.seq: step for step in steps(rest_on, names, row.incident.grid_code[:6])},
        whistle_of={row.whistle.id: row.whistle, row.whistle.number: row.whistle},
        task_of={str(task_id): row.task},
        at="whistle",
    )
