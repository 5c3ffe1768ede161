"""Write the pages of the reference that are made from the code: states, clocks, commands.

python docs/reference/make.py            writes them; a test fails while they differ from what this writes
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from api.cli import main
from api.settings import Settings
from grids.rules.deadlines import RULES, DeadlineKind
from grids.rules.lifecycle import INCIDENT
from grids.rules.machine import Machine
from grids.rules.tasks import TASK
from grids.rules.whistles import WHISTLE

__all__ = ["pages"]

_HERE = Path(__file__).parent


def pages() -> dict[str, str]:
    """Return the generated pages by file name."""
    return {
        "states.md": _states(),
        "clocks.md": _clocks(),
        "commands.md": _commands(),
        "settings.md": _settings(),
    }


def _states() -> str:
    lines = [
        "# States",
        "",
        "Made from the tables in `grids/rules`; do not edit. An act that is not offered yet answers 409",
        "`not_offered_yet`. Overdue, late and disputed are marks beside a state, never states.",
    ]
    for machine in (INCIDENT, WHISTLE, TASK):
        lines += ["", f"## {machine.name.capitalize()}", "", *_machine(machine)]
    return "\n".join(lines) + "\n"


def _machine(machine: Machine[Any]) -> Iterator[str]:
    levels = any(row.level for row in machine.transitions)
    head = ["row", *(["level"] if levels else []), "act", "from", "to", "who", "offered"]
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in machine.transitions:
        cells = [
            row.row,
            *([str(row.level)] if levels else []),
            f"`{row.action}`",
            ", ".join(f"`{state}`" for state in sorted(row.sources)) or "(new)",
            f"`{row.target}`",
            ", ".join(sorted(row.roles)) if len(row.roles) < 12 else "anybody but an auditor",
            "yes" if row.offered else "not yet",
        ]
        yield "| " + " | ".join(cells) + " |"


def _clocks() -> str:
    lines = [
        "# Clocks",
        "",
        "Made from `grids/rules/deadlines.py`; do not edit. A clock that runs out fires once, writes a trace row and",
        'tells those who owe the act and those named under "also told".',
        "",
        "| clock | of a | default limit | red and orange | when it runs out | owed by | also told |",
        "|---|---|---|---|---|---|---|",
    ]
    elsewhere = {
        DeadlineKind.HANDLE: "category and grade",
        DeadlineKind.RESPOND: "minutes of the category",
        DeadlineKind.CHECK_IN: "appointed time + 15 minutes",
        DeadlineKind.COMPLETE: "due moment of the whistle",
    }
    effects = {"climb": "the next level is whistled", "overdue": "marked overdue", "remind": "reminded"}
    for kind, rule in RULES.items():
        cells = [
            f"`{kind}`",
            rule.subject.value,
            str(rule.limit) if rule.limit else elsewhere[kind],
            str(rule.urgent) if rule.urgent else "",
            effects[rule.effect.value],
            ", ".join(rule.owed_by),
            ", ".join(rule.told),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _settings() -> str:
    lines = [
        "# Settings",
        "",
        "Made from `api/settings.py`; do not edit. All are variables of the environment, read once at the start.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        lines.append(f"| `GRID_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _commands() -> str:
    root = typer.main.get_command(main)
    lines = [
        "# Commands",
        "",
        "Made from the command line itself; do not edit. Every command takes `--help`. Exit codes: 0 done, 1 refused",
        "or faults found, 2 wrong usage. From a checkout write `./gridwhistle` for `gridwhistle`.",
    ]
    lines += _command(root, "gridwhistle")
    return "\n".join(lines) + "\n"


def _command(command: Any, name: str) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children:
        for child in sorted(children):
            yield from _command(children[child], f"{name} {child}")
        return
    yield ""
    yield f"## `{name}`"
    yield ""
    yield " ".join((command.help or "").split("\n\n")[0].split())
    rows = []
    for parameter in command.params:
        words = " ".join((getattr(parameter, "help", "") or "").split()).replace("|", "\\|")
        if parameter.param_type_name == "argument":
            rows.append(f"| `{parameter.name.upper()}` | {words} |")
        elif parameter.name not in ("help", "install_completion", "show_completion"):
            rows.append(f"| `{', '.join([*parameter.opts, *parameter.secondary_opts])}` | {words} |")
    if rows:
        yield ""
        yield "| argument or option | meaning |"
        yield "|---|---|"
        yield from rows


if __name__ == "__main__":
    for name, text in pages().items():
        (_HERE / name).write_text(text, encoding="utf-8")
