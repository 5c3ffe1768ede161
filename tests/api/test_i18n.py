"""The interface speaks two languages, each whole: every word that is used is there, and none that is not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter

import pytest
from jinja2 import Environment, nodes

from api.i18n import DEFAULT, KINDS, LANGUAGES, Words, catalogue, code_msgids, language_of, words_in
from api.pages.layout import templates
from api.pages.timeline import fact_msgids
from gis.errors import CityError, Conflict, InvalidInput, NotFound, Unavailable
from grids.rules.deadlines import DeadlineKind
from grids.rules.grading import Grade
from grids.rules.slips import SlipKind
from grids.tables import Category

ROOT = Path(__file__).parents[2]
HAN = re.compile("[\u3400-\u9fff]")
ERRORS = {kind.__name__ for kind in CityError.__subclasses__()} | {
    "InvalidGeometry",
    "UnknownFrame",
    "OutsideDistrict",
}
# what only somebody at the command line can meet: the cluster, tables of incidents, the drawing of maps by code
COMMAND_LINE = (
    "api/backup.py",
    "api/cli",
    "api/cluster.py",
    "api/database.py",
    "api/programs.py",
    "api/settings.py",
    "gis/clusters.py",
    "gis/density.py",
    "gis/emerging.py",
    "gis/hotspots.py",
    "gis/locate.py",
    "gis/partition.py",
    "gis/repair.py",
    "gis/shuffling.py",
    "gis/smoothing.py",
    "gis/weights.py",
    "grids/audit.py",
    "grids/catalogue.py",
    "grids/csvtables.py",
    "grids/ground/contents.py",
    "grids/demo",
    "grids/exchange.py",
    "grids/exports.py",
    "grids/figures/reading.py",
    "grids/numbers.py",
    "grids/locating.py",
    "grids/ground/planner.py",
    "grids/profile.py",
    "grids/duty/responsibilities.py",
    "grids/staff.py",
    "grids/rules/codes.py",
    "grids/rules/defaultpoints.py",
    "grids/rules/centres.py",
    "grids/rules/recurrence.py",
    "grids/rules/sheets.py",
    "grids/rules/survival.py",
    "grids/rules/trace.py",
    "maps",
)


def trees(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def called(tree: ast.AST, names: set[str]) -> Iterator[str]:
    """Yield the first argument, where it is plain text, of every call of these functions or methods."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
            texts = [
                arg for arg in node.args[:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
            # the readers of files name the file first, and then the code
            if name in names and texts and (texts[0] is node.args[0] or name == "_refused"):
                yield str(texts[0].value)


def in_templates() -> set[str]:
    env: Environment = templates()
    found: set[str] = set()
    for name in env.list_templates(extensions=["html"]):
        source = (ROOT / "api" / "templates" / name).read_text("utf-8")
        for call in env.parse(source).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "_":
                (first, *_) = call.args
                assert isinstance(first, nodes.Const), (
                    f"{name}:{call.lineno} asks for words that are not plain text"
                )
                found.add(first.value)
    return found


def in_python() -> set[str]:
    return {text for _, tree in trees("api", "maps") for text in called(tree, {"words", "self"})}


def in_messages() -> set[str]:
    """Return the msgids of all messages: texts of the form a.b that are handed to whatever is called tell...."""
    found: set[str] = set()
    for _, tree in trees("grids"):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if not name.lstrip("_").startswith("tell"):
                continue
            for part in (part for argument in node.args for part in ast.walk(argument)):
                text = part.value if isinstance(part, ast.Constant) else None
                if isinstance(text, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", text):
                    found.add(f"message.{text}")
    found |= {f"message.slip.{kind}" for kind in SlipKind}
    return found | {f"message.clock.{kind}" for kind in DeadlineKind}


def in_problems() -> set[str]:
    found: set[str] = set()
    for path, tree in trees("api", "gis", "grids", "maps"):
        if not path.startswith(COMMAND_LINE):
            found |= {f"problem.{code}" for code in called(tree, _error_names(tree))}
    return found


def _error_names(tree: ast.AST) -> set[str]:
    own = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(getattr(base, "id", "") in ERRORS | {"CityError"} for base in node.bases)
    }
    return (
        ERRORS
        | own
        | {
            "BadRequest",
            "Refused",
            "_refused",
            "BodyTooLarge",
            "Failure",
            "MethodNotAllowed",
            "NotSignedIn",
            "SignInFirst",
            "TooManyTries",
        }
    )


def used() -> set[str]:
    return in_templates() | in_python() | in_messages() | in_problems() | code_msgids() | fact_msgids()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_that_is_used_is_in_the_catalogue_and_no_other(language):
    words = catalogue(language)
    wanted = used()

    assert sorted(wanted - words.keys()) == []
    assert sorted(words.keys() - wanted) == []
    assert sorted(msgid for msgid, text in words.items() if not text.strip()) == []


def test_both_languages_fill_the_same_places():
    chinese, english = (catalogue(language) for language in LANGUAGES)

    def places(text: str) -> list[str]:
        return sorted({name for _, name, _, _ in Formatter().parse(text) if name})

    differ = [msgid for msgid in chinese if places(chinese[msgid]) != places(english[msgid])]

    assert differ == []


def test_an_english_sentence_stands_for_itself():
    english = catalogue("en")
    codes = {msgid for msgid in english if re.fullmatch(r"[a-z_]+(\.[A-Za-z0-9_]+)+", msgid)}

    assert [msgid for msgid, text in english.items() if msgid not in codes and msgid != text] == []


def test_english_has_no_chinese_and_chinese_is_chinese():
    english, chinese = catalogue("en"), catalogue(DEFAULT)

    assert [text for text in english.values() if HAN.search(text)] == []
    assert [text for text in chinese.values() if not re.search("[\u3000-\u9fff\uff00-\uffef]", text)] == []


def test_no_chinese_is_written_into_the_shell():
    found = []
    api = ROOT / "api"
    # the command line speaks English; what Chinese it holds are the names of columns in people's files
    modules = [path for path in api.rglob("*.py") if (api / "cli") not in path.parents]
    for path in sorted([*modules, *(api / "templates").rglob("*.html"), *(api / "static").glob("*.js")]):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if HAN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")

    assert found == []


def test_the_address_wins_over_the_cookie_and_chinese_over_the_unknown():
    assert language_of("en", "zh-CN") == "en"
    assert language_of(None, "en") == "en"
    assert language_of("fr", "en") == "en"
    assert language_of("fr", "tlh") == "zh-CN"
    assert language_of(None, None) == "zh-CN"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_words_of_its_own(language):
    words = words_in(language)
    for kind, members in KINDS.items():
        shown = [words.of(kind, member) for member in members]

        assert len(set(shown)) == len(shown), kind


def test_a_code_without_words_stays_a_code():
    assert words_in("en").of("grade", "purple") == "purple"
    assert words_in("en").of("grade", None) == ""
    assert words_in("zh-CN").of("grade", Grade.RED) == "红"


def test_times_are_shown_on_the_citys_clock_and_lengths_in_words():
    at = datetime(2026, 11, 21, 6, 32, tzinfo=UTC)

    assert words_in("zh-CN").moment(at) == "2026-11-21 14:32"
    assert words_in("zh-CN").duration(130) == "2小时10分"
    assert words_in("en").duration(130) == "2 h 10 min"
    assert words_in("zh-CN").due(at, at - timedelta(minutes=130)) == ("剩2小时10分", False)
    assert words_in("en").due(at, at + timedelta(minutes=5)) == ("overdue by 5 min", True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_a_sentence_even_when_a_fact_is_missing(language):
    words = words_in(language)
    for msgid in in_messages():
        facts = dict.fromkeys(("number", "place", "count"), "2026112199010100001")  # what it is about
        sentence = words.message(msgid.removeprefix("message."), facts)

        assert "2026112199010100001" in sentence
        assert "{" not in sentence


def test_a_message_says_its_facts_in_words():
    facts = {
        "number": "N",
        "whistle": "W",
        "clock": "respond",
        "due_at": "2026-11-21T06:32:00.000000Z",
        "letter": "W-01",
    }

    sentence = words_in("zh-CN").message("clock.respond", facts)

    assert "2026-11-21 14:32" in sentence
    assert words_in("zh-CN").reason("no_answer_in_time") != "no_answer_in_time"
    assert words_in("zh-CN").reason("下水道堵了") == "下水道堵了"


def test_a_problem_has_a_sentence_and_an_unknown_one_that_of_its_family():
    words = words_in("en")

    assert words.problem(InvalidInput("bad_phone", "...")) == catalogue("en")["problem.bad_phone"]
    assert words.problem(NotFound("never_heard_of", "...")) == catalogue("en")["problem.404"]
    assert words.problem(Conflict("never_heard_of", "...")) == catalogue("en")["problem.409"]
    assert words.problem(Unavailable("never_heard_of", "...")) == catalogue("en")["problem.503"]


def test_a_name_is_given_in_the_language_of_the_reader():
    drain = Category(name="下水道堵塞", name_en="Blocked drain")

    assert words_in("zh-CN").name(drain) == "下水道堵塞"
    assert words_in("en").name(drain) == "Blocked drain"
    assert words_in("en").name(None) == ""


def test_the_rule_behind_a_responsibility_is_told_in_the_readers_language():
    chinese = words_in("zh-CN")

    assert HAN.search(chinese.rule("responsibility 12 for the whole list since 2026-01-01"))
    assert "990101" in chinese.rule("responsibility 12 for area 990101 since 2026-01-01")
    assert HAN.search(chinese.rule("the responsibility list names nobody for category 07-001 at 990101"))
    assert chinese.rule(None) == ""


def test_words_are_what_maps_take():
    assert isinstance(words_in("en"), Words)
    assert words_in("en")("{count} grids", count=3) == "3 grids"
