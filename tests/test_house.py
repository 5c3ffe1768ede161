"""The house keeps its own rules: floors, doors, and what is written down about it."""

from __future__ import annotations

import ast
import importlib
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("gis", "grids", "maps", "api")
MODULES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_and_what_it_offers(path):
    tree = ast.parse(path.read_text("utf-8"))
    offered = [
        [element.value for element in node.value.elts]
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]

    assert ast.get_docstring(tree), f"{path} has no docstring"
    has_code = any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign) for node in tree.body)
    if has_code:
        assert offered, f"{path} has no __all__"
    for names in offered:
        assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
        module = importlib.import_module(name_of(path)) if path.name != "child.py" else None
        assert module is None or all(hasattr(module, name) for name in names)


def test_no_module_has_grown_past_what_one_can_hold():
    long = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}

    assert {name: lines for name, lines in long.items() if lines > 520} == {}


def test_rules_come_without_a_database():
    code = (
        "import sys, pkgutil, importlib, grids.rules as rules\n"
        "for found in pkgutil.iter_modules(rules.__path__): importlib.import_module(f'grids.rules.{found.name}')\n"
        "print([name for name in ('sqlalchemy', 'fastapi', 'pydantic', 'folium') if name in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert said.stdout.strip() == "[]"


def test_use_cases_never_commit():
    for path in (ROOT / "grids").rglob("*.py"):
        calls = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert "commit" not in calls, path


def codes_raised() -> set[str]:
    """Return the codes that the source gives to errors of ours."""
    families = {
        "Conflict",
        "CoverageBroken",
        "Forbidden",
        "InvalidGeometry",
        "InvalidInput",
        "NotFound",
        "OutsideDistrict",
        "Unavailable",
        "UnknownFrame",
    }
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in families and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
    return found


def test_every_problem_has_its_place_in_the_documents():
    documented = set(re.findall(r"`([a-z0-9_]+)`", (ROOT / "docs" / "problems.md").read_text("utf-8")))

    assert codes_raised() - documented == set()


def test_the_generated_pages_of_the_reference_are_what_the_code_says():
    pages = runpy.run_path(str(ROOT / "docs" / "reference" / "make.py"))["pages"]()

    for name, text in pages.items():
        written = (ROOT / "docs" / "reference" / name).read_text("utf-8")
        assert written == text, f"run python docs/reference/make.py: {name} is out of date"


def test_links_between_documents_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not target.startswith(("http:", "https:"))
    ]

    assert links
    assert [f"{page} -> {target}" for page, target in links if not (page.parent / target).exists()] == []


def test_docker_compose_runs_the_services_that_the_readme_names():
    import yaml

    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    readme = (ROOT / "README.md").read_text("utf-8")

    assert set(composed["services"]) == {"db", "migrate", "web", "worker"}
    for service in composed["services"]:
        assert f"`{service}`" in readme
    for service in ("migrate", "web", "worker"):
        assert "GRID_DATABASE_URL" in composed["services"][service]["environment"]
