"""Write the pages of the reference that are made from the code: states, clocks, limits, commands.

python docs/reference/make.py            writes them; a test fails while they differ from what this writes
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from api.cli import main
from api.settings import Settings
from grids.rules.deadlines import RULES, DeadlineKind
from grids.rules.disputes import DISPUTE
from grids.rules.lifecycle import INCIDENT
from grids.rules.machine import Machine
from grids.rules.places import PLACE
from grids.rules.profiles import SHIPPED, shipped_profile, shipped_text
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
        "limits.md": _limits(),
    }


def _states() -> str:
    lines = [
        "# States",
        "",
        "Made from the tables in `grids/rules`; do not edit. Overdue, late and disputed are marks beside a state,",
        "never states. An act whose state does not change has (same) under to.",
    ]
    for machine in (INCIDENT, WHISTLE, TASK, DISPUTE, PLACE):
        lines += ["", f"## {machine.name.capitalize()}", "", *_machine(machine)]
    return "\n".join(lines) + "\n"


def _machine(machine: Machine[Any]) -> Iterator[str]:
    levels = any(row.level for row in machine.transitions)
    head = ["row", *(["level"] if levels else []), "act", "from", "to", "who"]
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in machine.transitions:
        cells = [
            row.row,
            *([str(row.level)] if levels else []),
            f"`{row.action}`",
            ", ".join(f"`{state}`" for state in sorted(row.sources)) or "(new)",
            f"`{row.target}`" if row.target else "(same)",
            ", ".join(sorted(row.roles)) if len(row.roles) < 12 else "anybody but an auditor",
        ]
        yield "| " + " | ".join(cells) + " |"


def _clocks() -> str:
    lines = [
        "# Clocks",
        "",
        "Made from `grids/rules/deadlines.py`; do not edit. A clock that runs out fires once, a second after its due",
        "moment or as soon after that as a worker comes to it, writes a trace row and tells those who owe the act and",
        'those named under "also told". An act that arrived at or before the due moment is in time.',
        "",
        "| clock | of a | default limit | red and orange | when it runs out | owed by | also told |",
        "|---|---|---|---|---|---|---|",
    ]
    elsewhere = {
        DeadlineKind.HANDLE: "category and grade",
        DeadlineKind.RESPOND: "minutes of the category",
        DeadlineKind.CHECK_IN: "appointed time + 15 minutes",
        DeadlineKind.COMPLETE: "due moment of the whistle",
        DeadlineKind.SUSPENSION: "until the approved day",
        DeadlineKind.LEDGER_REVIEW: "the day of the next review",
        DeadlineKind.DISPUTE: "that of the stage of coordination",
        DeadlineKind.PROGRESS: "a share of the time to complete",
        DeadlineKind.LONG_OVERDUE: "some time past the due moment",
    }
    effects = {
        "climb": "the next level is whistled",
        "overdue": "marked overdue",
        "remind": "reminded",
        "resume": "the case goes on",
        "no_show": "on record that nobody came",
        "slip": "a slip is issued",
        "appraise": "the result is made without marks",
    }
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


def _limits() -> str:
    profiles = [shipped_profile(code) for code in SHIPPED]
    lines = [
        "# Limits",
        "",
        "Made from `grids/data/limits`; do not edit. The profiles that come with the product: `default` holds where a",
        "district has published none of its own. Bold: stated by the paper of that profile; the rest is the default.",
        "Names are those of a file of limits ([how to set them](../how-to/set-limits-and-calendar.md)).",
        "`check_in_grace` and the response are minutes, `..._days` days, `..._hours` hours that always run.",
        "",
        "| profile | follows |",
        "|---|---|",
        *(f"| `{profile.code}` {profile.name_en} | {profile.source} |" for profile in profiles),
        "",
        "| limit | " + " | ".join(f"`{profile.code}`" for profile in profiles) + " |",
        "|---|" + "---|" * len(profiles),
    ]
    values = [profile.values() for profile in profiles]
    stated = [_stated(shipped_text(code)) if code != "default" else set() for code in SHIPPED]
    for name in dict.fromkeys(name for one in values for name in one):
        cells = [
            f"**{one[name]}**" if name in own else one.get(name, "")
            for one, own in zip(values, stated, strict=True)
        ]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _stated(text: str) -> set[str]:
    """Return the dotted names of the limits that a file of limits itself sets."""
    found: set[str] = set()
    for name, value in tomllib.loads(text).items():
        found |= {f"{name}.{key}" for key in value} if isinstance(value, dict) else {name}
    return found


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
