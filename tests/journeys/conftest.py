"""The city over HTTP: a fresh one for each test that writes, one for a module of tests that only read."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load() -> ModuleType:
    if "city_over_http" in sys.modules:
        return sys.modules["city_over_http"]
    path = Path(__file__).parents[1] / "city_over_http.py"
    spec = importlib.util.spec_from_file_location("city_over_http", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["city_over_http"] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def http() -> ModuleType:
    """The module that knows the city: its CELLS, PEOPLE, PASSWORD."""
    return _load()


@pytest.fixture(scope="session")
def city_template(http: ModuleType, cluster: Any, make_database: Callable[[], str]) -> str:
    """The database that every city is a clone of."""
    name: str = http.build_template(cluster, make_database)
    return name


_numbers = count(1)


@pytest.fixture
def city(http: ModuleType, cluster: Any, city_template: str, worker_id: str, clock: Any) -> Iterator[Any]:
    """A city of its own for one test."""
    name = f"city_journey_{worker_id}_{next(_numbers)}"
    with http.open_city(cluster, city_template, name, clock) as opened:
        yield opened


_of_its_own = ThreadPoolExecutor(1, "browser")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests in a browser in a thread of their own: Playwright refuses a second loop in one thread, and
    the tests of the maps keep the first."""
    if pyfuncitem.get_closest_marker("browser") is None:
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    _of_its_own.submit(pyfuncitem.obj, **wanted).result()
    return True


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, headless, or a skip where there is none; to be used in tests marked `browser` only."""
    from playwright.sync_api import sync_playwright

    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium is installed")

    def launch() -> tuple[Any, Any]:
        playwright = sync_playwright().start()
        flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        return playwright, playwright.chromium.launch(executable_path=found, args=flags)

    playwright, browser = _of_its_own.submit(launch).result()
    yield browser
    _of_its_own.submit(browser.close).result()
    _of_its_own.submit(playwright.stop).result()


_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
