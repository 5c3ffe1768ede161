"""The need letter: one to each department that a whistle calls, with all that it has to know."""

from __future__ import annotations

from collections.abc import Callable

from api.i18n import Words
from api.papers.sheet import Sheet
from grids.casefile import WhistleFile
from grids.tables import Person, Task

__all__ = ["need_letter"]

Place = Callable[[str], str]
"""From the code of an area to its name with the areas above it."""


def need_letter(
    file: WhistleFile, task: Task, words: Words, *, place: Place, confirmed_by: Person | None
) -> Sheet:
    """Return the letter to one department. file : of the whistle; confirmed_by : the town's main leader."""
    whistle, incident = file.whistle, file.incident
    town = place(whistle.area_code)
    contact = " ".join(part for part in (whistle.contact_name, whistle.contact_phone) if part)
    meeting = words.moment(whistle.appointed_at) if whistle.appointed_at else "—"
    facts = [
        (words("Matter"), words.name(file.category) or "—"),
        (words("Incident"), incident.number),
        (words("Place"), incident.address or place(incident.grid_code)),
        (words("Your part"), words.of("task_role", task.role)),
        (words("They meet at"), f"{meeting}  {whistle.appointed_place or ''}".strip()),
        (words("Respond by"), words.moment(task.response_due_at)),
        (words("Complete by"), words.moment(task.due_at)),
        (words("Contact of the town"), contact or "—"),
    ]
    called = [
        [words("Department"), words("Role"), words("Number of the letter")],
        *(
            [words.name(other.department), words.of("task_role", other.role), other.letter_number]
            for other in file.tasks
        ),
    ]
    signed = [town]
    if whistle.confirmed_at is not None:
        name = confirmed_by.name if confirmed_by is not None else words.of("role", "district_platform")
        signed.append(
            words("Confirmed by {name}, {time}", name=name, time=words.moment(whistle.confirmed_at))
        )
    return Sheet(
        title=words("Need letter of the whistle"),
        number=words("Number {number}", number=task.letter_number),
        addressed=words("To {department}:", department=words.name(task.department)),
        facts=facts,
        paragraphs=[
            (words("What was reported"), incident.text),
            (words("Why the town cannot solve it alone"), words.reason(whistle.reason) or "—"),
        ],
        table=called,
        signed=signed,
        foot=words(
            "Answer with the name and the telephone of who comes. What is not yours is sent back with its legal basis "
            "in time; until that is decided the duty and the clock go on."
        ),
    )
