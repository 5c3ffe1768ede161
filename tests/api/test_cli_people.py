"""`gridwhistle users`, `trace`, `openapi` and `bench`: what an operator does at the machine itself."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from api.cli import main
from grids.rules.permissions import Role


@pytest.fixture
def address(monkeypatch, make_database):
    """A database of its own, which the commands use."""
    url = make_database()
    monkeypatch.setenv("GRID_DATABASE_URL", url)
    return url


@pytest.fixture
def run(address):
    def run(*arguments, typed=None):
        return CliRunner().invoke(main, list(map(str, arguments)), input=typed, prog_name="gridwhistle")

    return run


@pytest.fixture
def demo(monkeypatch, made_up):
    """The address of a database of its own with the smallest made-up district, which the commands use."""
    address, _facts = made_up()
    monkeypatch.setenv("GRID_DATABASE_URL", address)
    return address


def add(run, login="zhao", area="990101", *more, password="correct horse\n"):
    return run(
        "users", "add", login, "--name", "赵敏", "--role", "hotline_desk", "--area", area, "--password-stdin",
        *more, typed=password,
    )  # fmt: skip


def test_a_person_is_put_on_record_listed_and_disabled(run, demo):
    area = json.loads(run("users", "list", "--json").stdout)[0]["posts"][0]["area"][:6]

    added = add(run, area=area)
    again = add(run, area=area)
    disabled = run("users", "disable", "zhao")

    assert (added.exit_code, added.stdout) == (0, f"zhao may sign in as hotline_desk of {area}\n")
    assert (again.exit_code, "[login_taken]" in again.stderr) == (1, True)
    assert disabled.exit_code == 0
    people = {person["login"]: person for person in json.loads(run("users", "list", "--json").stdout)}
    assert people["zhao"]["may_sign_in"] is False
    assert people["zhao"]["posts"] == [
        {"role": "hotline_desk", "area": area, "department": None, "on_duty": True}
    ]
    assert "zhao  赵敏  hotline_desk" in run("users", "list").stdout


def test_a_password_is_asked_for_twice_and_never_shown(run, demo):
    area = json.loads(run("users", "list", "--json").stdout)[0]["posts"][0]["area"][:6]
    asked = ("users", "add", "qian", "--name", "钱", "--role", "auditor", "--area", area)

    result = run(*asked, typed="correct horse\ncorrect horse\n")
    different = run(*asked, typed="correct horse\nwrong horse\n")

    assert result.exit_code == 0
    assert "correct horse" not in result.output
    assert different.exit_code == 1


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"password": "short\n"}, "bad_password"),
        ({"password": ""}, "bad_password"),
        ({"area": "110101"}, "grid_not_found"),
        ({"login": "two words"}, "bad_login"),
    ],
)
def test_a_person_who_cannot_be_added_is_refused_in_one_line(run, how, code):
    result = add(run, **how)

    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert f"[{code}]" in result.stderr
    assert run("users", "list", "--json").stdout == "[]\n"


def test_a_role_that_is_none_is_used_wrongly(run):
    result = run("users", "add", "x", "--name", "x", "--role", "king", "--area", "990101")

    assert result.exit_code == 2
    assert Role.AUDITOR.value in result.output


def test_histories_are_verified_and_a_changed_one_is_named(run, demo):
    whole = run("trace", "verify", "--json")
    engine = create_engine(demo)
    with engine.begin() as connection:
        number = connection.scalar(
            text(
                "UPDATE trace SET action = 'reject' FROM incident WHERE incident.id = trace.incident_id AND seq = 3 "
                "AND incident.id = (SELECT max(incident_id) FROM trace WHERE seq = 4) RETURNING incident.number"
            )
        )
    engine.dispose()
    broken = run("trace", "verify")
    only = run("trace", "verify", "--incident", number, "--json")

    assert (whole.exit_code, json.loads(whole.stdout)["ok"]) == (0, True)
    assert broken.exit_code == only.exit_code == 1
    assert f"{number}: broken at step 3" in broken.stdout
    assert json.loads(only.stdout)["broken"] == {number: 3}
    assert "[incident_not_found]" in run("trace", "verify", "--incident", "1").stderr


def test_the_interface_is_described_without_a_database(monkeypatch, tmp_path):
    monkeypatch.setenv("GRID_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    runner = CliRunner()

    printed = runner.invoke(main, ["openapi"])
    written = runner.invoke(main, ["openapi", "-o", str(tmp_path / "openapi.json")])

    assert printed.exit_code == written.exit_code == 0
    assert "/api/incidents" in json.loads(printed.stdout)["paths"]
    assert (tmp_path / "openapi.json").read_text("utf-8") == printed.stdout


def test_a_benchmark_that_is_none_is_used_wrongly():
    result = CliRunner().invoke(main, ["bench", "tea"])

    assert result.exit_code == 2
    assert "locate" in result.output


def test_without_a_checkout_there_is_nothing_to_measure(monkeypatch, tmp_path):
    monkeypatch.setattr("api.cli.bench._CHECKOUT", tmp_path)

    result = CliRunner().invoke(main, ["bench"])

    assert (result.exit_code, "[no_benchmarks]" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    "command",
    [
        "demo", "bench", "openapi", "locate", "grids", "grids check", "grids load", "grids publish", "grids list",
        "grids export", "grids diff", "incidents", "incidents import", "incidents export", "maps", "maps area",
        "maps hotspots", "maps responses", "maps recurrences", "trace", "trace verify", "users", "users add",
        "users list", "users disable",
    ],
)  # fmt: skip
def test_every_command_says_what_it_does(command):
    result = CliRunner().invoke(main, [*command.split(), "--help"])

    assert result.exit_code == 0
    assert "Usage:" in result.stdout
