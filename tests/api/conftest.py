"""The city over HTTP: a fresh one for each test that writes, one for a module of tests that only read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from types import ModuleType
from typing import Any

import pytest

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
