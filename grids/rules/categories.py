"""What can be wrong in a city: each category with its colour, limits, departments and evidence.

The shipped table has 80 categories in 16 fields. Its keys are the product's own (`FF-NNN`, field and number),
with cross-references to national code lists beside them, so that a new edition of a standard never rewrites
history. What each column means, and which figures are published practice and which are defaults of ours, is
told in grids/data/README.md.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from gis.errors import InvalidInput
from grids.rules.departments import DEPARTMENT_CODE, shipped_departments
from grids.rules.grading import Grade
from grids.rules.limits import Limit, Unit
from grids.rules.sheets import Row, read_sheet

__all__ = [
    "CATEGORY_COLUMNS",
    "WATERLOGGING",
    "Basis",
    "CategoryKind",
    "CategoryRule",
    "CrossReferences",
    "read_categories",
    "shipped_categories",
]

WATERLOGGING = frozenset({"01-002"})
"""Categories that rain causes: counted per rain episode, raised by a rain warning."""

CATEGORY_COLUMNS = (
    "category_code",
    "field_code",
    "field_zh",
    "field_en",
    "kind",
    "name_zh",
    "name_en",
    "colour_grade",
    "response_limit_min",
    "arrive_limit_h",
    "handle_limit_value",
    "handle_limit_unit",
    "default_whistle_level",
    "lead_dept_code",
    "coop_dept_codes",
    "evidence_required",
    "callback_required",
    "long_process",
    "recurrence_radius_m",
    "xref_cjt214_2007",
    "xref_gbt30428_2_2013_unlabelled",
    "xref_gbt47678_5_2026_observed",
    "xref_gbt47678_5_2026_inferred",
    "grade_basis",
    "limit_basis",
    "dept_basis",
    "notes",
)

_EVIDENCE = r"[a-z0-9_]+(\(restricted\))?"


class CategoryKind(StrEnum):
    """An event happens, a component breaks, a service matter is asked for (and needs no photo)."""

    EVENT = "event"
    COMPONENT = "component"
    SERVICE = "service"


class Basis(StrEnum):
    """Where a figure comes from: reported practice, limits of other cities, or a default of ours."""

    REPORTED = "reported"
    OTHER_CITIES = "other_cities"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class CrossReferences:
    """Codes of the same matter in national lists, as seen in public project files; no conformity is
    claimed."""

    cjt214_2007: str | None
    gbt30428_2_2013_unlabelled: str | None
    gbt47678_5_2026_observed: str | None
    gbt47678_5_2026_inferred: str | None


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """One category.

    response_limit_min : minutes within which a department answers, on a clock that always runs.
    arrive_limit_h : hours from issue to arrival that an appointed time should keep to.
    handle_limit : how long handling may take, before the ceiling of the colour is applied.
    whistle_level : the level that the first whistle is blown at, 1 to 3.
    lead, cooperating : department codes; the town is always among them.
    evidence : what completion must show; those also in `restricted_evidence` are personal.
    recurrence_radius_m : how near two of them count as the same place; None where the matter has no place.
    """

    code: str
    field_code: str
    field_zh: str
    field_en: str
    kind: CategoryKind
    name_zh: str
    name_en: str
    grade: Grade
    response_limit_min: int
    arrive_limit_h: int
    handle_limit: Limit
    whistle_level: int
    lead: str
    cooperating: tuple[str, ...]
    evidence: tuple[str, ...]
    restricted_evidence: frozenset[str]
    callback_required: bool
    long_process: bool
    recurrence_radius_m: int | None
    references: CrossReferences
    grade_basis: Basis
    limit_basis: Basis
    dept_basis: Basis
    notes: tuple[str, ...]

    @property
    def waterlogging(self) -> bool:
        """Whether rain causes it."""
        return self.code in WATERLOGGING


def read_categories(source: Path | str, departments: Collection[str] | None = None) -> list[CategoryRule]:
    """Read a table of categories from a file or its text, with the columns of `CATEGORY_COLUMNS`.

    departments : the codes that exist; None lets any well-formed code pass.
    Raises `InvalidInput("bad_sheet")` naming row and column for a cell that cannot be used, a field named in
    two ways, a lead that also cooperates, a red category that is not on natural hours, or an arrival after
    the end.
    """
    rules: list[CategoryRule] = []
    fields: dict[str, tuple[str, str]] = {}
    for row in read_sheet(source, "categories", CATEGORY_COLUMNS):
        rule = _category(row)
        if fields.setdefault(rule.field_code, (rule.field_zh, rule.field_en)) != (
            rule.field_zh,
            rule.field_en,
        ):
            row.refuse("field_code", f"the same field names as before, {' / '.join(fields[rule.field_code])}")
        _check_departments(row, rule, departments)
        _check_times(row, rule)
        rules.append(rule)
    return rules


@cache
def shipped_categories() -> tuple[CategoryRule, ...]:
    """Return the 80 categories that come with the product, in the order of their codes."""
    known = {body.code for body in shipped_departments()}
    return tuple(read_categories(Path(__file__).parents[1] / "data" / "categories.csv", known))


def _category(row: Row) -> CategoryRule:
    code = row.matching(
        "category_code", r"(0[1-9]|1[0-6])-\d{3}", "a field 01 to 16, a hyphen and three digits"
    )
    if row.cells["field_code"] != code[:2]:
        row.refuse("field_code", f"{code[:2]}, the beginning of the category's code")
    evidence = row.names(
        "evidence_required", _EVIDENCE, "lower-case names separated by semicolons, each once"
    )
    radius = row.cells["recurrence_radius_m"]
    return CategoryRule(
        code=code,
        field_code=code[:2],
        field_zh=row.text("field_zh"),
        field_en=row.text("field_en"),
        kind=row.member("kind", CategoryKind),
        name_zh=row.text("name_zh"),
        name_en=row.text("name_en"),
        grade=row.member("colour_grade", Grade),
        response_limit_min=row.number_in("response_limit_min", 1, 1440),
        arrive_limit_h=row.number_in("arrive_limit_h", 1, 240),
        handle_limit=_handle_limit(row),
        whistle_level=row.number_in("default_whistle_level", 1, 3),
        lead=row.matching("lead_dept_code", DEPARTMENT_CODE, "one department code"),
        cooperating=row.names(
            "coop_dept_codes", DEPARTMENT_CODE, "department codes separated by ;, each once"
        ),
        evidence=tuple(name.removesuffix("(restricted)") for name in evidence),
        restricted_evidence=frozenset(
            name.removesuffix("(restricted)") for name in evidence if name.endswith("(restricted)")
        ),
        callback_required=row.flag("callback_required"),
        long_process=row.flag("long_process"),
        recurrence_radius_m=row.number_in("recurrence_radius_m", 1, 2000) if radius else None,
        references=CrossReferences(
            cjt214_2007=row.cells["xref_cjt214_2007"] or None,
            gbt30428_2_2013_unlabelled=row.cells["xref_gbt30428_2_2013_unlabelled"] or None,
            gbt47678_5_2026_observed=row.cells["xref_gbt47678_5_2026_observed"] or None,
            gbt47678_5_2026_inferred=row.cells["xref_gbt47678_5_2026_inferred"] or None,
        ),
        grade_basis=row.member("grade_basis", Basis),
        limit_basis=row.member("limit_basis", Basis),
        dept_basis=row.member("dept_basis", Basis),
        notes=row.names("notes", r"[a-z0-9_]+", "lower-case names separated by semicolons, each once"),
    )


def _handle_limit(row: Row) -> Limit:
    value, unit = row.cells["handle_limit_value"], row.member("handle_limit_unit", Unit)
    try:
        return Limit(value, unit)
    except InvalidInput as error:
        row.refuse("handle_limit_value", f"a limit in {unit} ({error.message})")


def _check_departments(row: Row, rule: CategoryRule, departments: Collection[str] | None) -> None:
    if departments is not None and rule.lead not in departments:
        row.refuse("lead_dept_code", "a department that exists")
    unknown = [] if departments is None else [code for code in rule.cooperating if code not in departments]
    if unknown:
        row.refuse("coop_dept_codes", f"departments that exist ({', '.join(unknown)} does not)")
    if rule.lead in rule.cooperating:
        row.refuse("coop_dept_codes", f"departments other than the lead, {rule.lead}")


def _check_times(row: Row, rule: CategoryRule) -> None:
    unit = rule.handle_limit.unit
    if rule.grade is Grade.RED and unit is not Unit.NATURAL_HOUR:
        row.refuse("handle_limit_unit", "natural_hour: red runs day and night")
    hours = rule.handle_limit.value if unit in {Unit.WORK_HOUR, Unit.URGENT_HOUR, Unit.NATURAL_HOUR} else None
    if hours is not None and rule.arrive_limit_h > hours:
        row.refuse("arrive_limit_h", f"no more hours than handling may take, {hours}")
