"""The city over HTTP: a fresh one for each test that writes, one for a module of tests that only read."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
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
    name = f"city_api_{worker_id}_{next(_numbers)}"
    with http.open_city(cluster, city_template, name, clock) as opened:
        yield opened


@pytest.fixture(scope="module")
def still_city(http: ModuleType, cluster: Any, city_template: str, worker_id: str) -> Iterator[Any]:
    """One city for all tests of a module; its clock stands at nine in the morning."""
    name = f"city_still_{worker_id}_{next(_numbers)}"
    with http.open_city(cluster, city_template, name, http.StillClock()) as opened:
        yield opened
