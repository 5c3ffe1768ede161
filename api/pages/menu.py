"""The navigation: a few sections, each with the pages that belong together, as far as a person may open them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from api.i18n import Words
from grids.rules.disputes import DISPUTE_READERS
from grids.rules.permissions import DUTY_KEEPERS, GRID_KEEPERS, OPERATORS, RULE_READERS, Actor, Role

__all__ = ["Link", "menu", "pages_beside"]


@dataclass(frozen=True, slots=True)
class Link:
    """An address and its words; `current` for the page that is open."""

    href: str
    text: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class _Page:
    """One page. below : it stays lit on what lies below one of these."""

    href: str
    text: str
    below: tuple[str, ...] = ()
    for_: Callable[[Actor], bool] = lambda _actor: True

    def holds(self, path: str) -> bool:
        """Tell whether a path is this page or below it."""
        return path == self.href or path.startswith(self.below)


@dataclass(frozen=True, slots=True)
class _Section:
    """Pages that belong together, called as one of them where there is one only."""

    text: str
    pages: tuple[_Page, ...]


def _works(actor: Actor) -> bool:
    return actor.role is not Role.CITIZEN


def _answers(actor: Actor) -> bool:
    """Tell whether somebody belongs to those who answer for duties: towns, departments, the district."""
    return actor.role in DUTY_KEEPERS or actor.role is Role.DEPARTMENT_DUTY


def _sections(words: Words) -> tuple[_Section, ...]:
    return (
        _Section(words("Home"), (_Page("/home", words("Home")),)),
        _Section(words("My area"), (_Page("/my", words("My area"), (), lambda me: bool(me.area_code)),)),
        _Section(
            words("Report"),
            (_Page("/report/new", words("Report"), (), lambda me: me.role is not Role.AUDITOR),),
        ),
        _Section(
            words("Incidents"),
            (_Page("/dispatch", words("Incidents"), ("/incidents/", "/whistles/", "/tasks/")),),
        ),
        _Section(
            words("Inbox"),
            (
                _Page("/inbox", words("Inbox")),
                _Page("/my/contacts", words("How I am told"), (), _works),
                _Page("/my/hours", words("Duty hours"), (), _works),
            ),
        ),
        _Section(
            words("Supervision"),
            (
                _Page("/slips", words("Slips of supervision"), ("/slips/",), _works),
                _Page("/disputes", words("Disputes"), ("/disputes/",), lambda me: me.role in DISPUTE_READERS),
                _Page("/ledger", words("The ledger"), (), _works),
            ),
        ),
        _Section(words("Analysis"), (_Page("/map/hotspots", words("Analysis"), ("/map/",)),)),
        _Section(
            words("Problem points"),
            (
                _Page("/points", words("Problem points"), ("/points/",), _works),
                _Page("/campaigns", words("Campaigns"), ("/campaigns/",), _works),
            ),
        ),
        _Section(
            words("Rules"),
            (
                _Page("/coverage", words("Coverage"), (), lambda me: me.role in DUTY_KEEPERS),
                _Page("/duties", words("Responsibility lists"), ("/duties/",), _answers),
                _Page("/powers", words("Powers of towns"), (), _answers),
                _Page("/admissions", words("Tasks handed down"), (), _answers),
                _Page("/rules/limits", words("Limits"), (), lambda me: me.role in RULE_READERS),
                _Page("/rules/calendar", words("Working calendar"), (), lambda me: me.role in RULE_READERS),
            ),
        ),
        _Section(
            words("The grid"),
            (_Page("/grids", words("The grid"), ("/grids/",), lambda me: me.role in GRID_KEEPERS),),
        ),
        _Section(
            words("Operations"),
            (
                _Page("/ops", words("Operations"), (), lambda me: me.role in OPERATORS),
                _Page("/messages/log", words("What was sent"), (), lambda me: me.role in OPERATORS),
            ),
        ),
    )


def _open_to(actor: Actor, words: Words) -> Iterator[tuple[_Section, tuple[_Page, ...]]]:
    for section in _sections(words):
        pages = tuple(page for page in section.pages if page.for_(actor))
        if pages:
            yield section, pages


def menu(actor: Actor, words: Words, path: str) -> list[Link]:
    """Return a link for each section that a person may open any page of; it leads to the first of them."""
    return [
        Link(
            pages[0].href,
            section.text if len(pages) > 1 else pages[0].text,
            any(page.holds(path) for page in pages),
        )
        for section, pages in _open_to(actor, words)
    ]


def pages_beside(actor: Actor, words: Words, path: str) -> list[Link]:
    """Return the pages of the section that a path is in, where there are several; else none."""
    for _, pages in _open_to(actor, words):
        if len(pages) > 1 and any(page.holds(path) for page in pages):
            return [Link(page.href, page.text, page.holds(path)) for page in pages]
    return []
