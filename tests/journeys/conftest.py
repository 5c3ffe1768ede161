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

_numbers = count(1)


def _load(name: str) -> ModuleType:
    """Make a module beside this one known by its name: the tests lie in no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_browsing = _load("browsing")


@pytest.fixture(scope="module")
def town(made_up: Callable[..., Any]) -> Iterator[Any]:
    """The smallest made-up district behind a server on a free port."""
    with _browsing.open_town(*made_up(_browsing.AFTERNOON)) as opened:
        yield opened


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
