"""What every test may ask for: a clock that moves, and a session on a real, throw-away PostGIS.

Nothing is started for a test that does not ask. The cluster is one for the whole run, shared by the workers
of pytest-xdist; its template database is made once by the migrations, and each worker gets a clone.
"""

from __future__ import annotations

import fcntl
import gc
import importlib.util
import json
import os
import pickle
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # imported where used, so that tests without a database start at once
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from api.cluster import Cluster
    from grids.demo import DemoFacts

_ROOT = "GRIDWHISTLE_TEST_ROOT"  # how the workers learn where the run's cluster lies
_TEMPLATE = "test_template"


class MovingClock:
    """A clock for tests: it stands still until told to move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # Monday, 9 o'clock in the district, a working day

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        """Move on: clock.advance(hours=2, seconds=1)."""
        self.now += timedelta(**span)

    def set(self, moment: datetime) -> None:
        """Go to a moment, which must be aware."""
        assert moment.tzinfo is not None
        self.now = moment.astimezone(UTC)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let whoever has the time run the long tests, and the random ones at full size."""
    parser.addoption(
        "--soak", action="store_true", help="run the tests marked soak too, and random ones at full size"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the place of this run's cluster, in the process that starts the workers."""
    if not hasattr(config, "workerinput"):
        # What this machine's own service is set to must not reach the tests, nor they its database.
        for name in [n for n in os.environ if n.startswith("GRID_") and n != "GRID_FIGURES"]:
            del os.environ[name]
        # Not pytest's tmp_path: that is closed to the user whom the server runs as when we are root.
        place = Path(tempfile.mkdtemp(prefix="gridwhistle-test-"))
        place.chmod(0o755)
        os.environ[_ROOT] = str(place)


def pytest_collection_finish() -> None:
    """Keep what is loaded by now out of the collector's rounds, which took a fifth of all the processor's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the cluster, if a test started it, and remove all that it wrote."""
    if not hasattr(config, "workerinput") and _ROOT in os.environ:
        place = Path(os.environ.pop(_ROOT))
        if (place / "pg" / "data").exists():
            from api.cluster import Cluster

            Cluster(place / "pg").stop()
        shutil.rmtree(place)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses the database; leave the long tests out where nobody asked for them."""
    soaking = config.getoption("--soak")
    for item in items:
        if not soaking and item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="takes long: --soak runs it"))
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.database)


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> bool:
    """Whether random tests run at full size."""
    return bool(pytestconfig.getoption("--soak"))


@pytest.fixture
def publish(soak: bool) -> Callable[..., None]:
    """Write the figures of one invariant, such as "B1", as a JSON file into the folder GRID_FIGURES, if it is set."""

    from api.clock import system_clock

    def write(invariant: str, **figures: Any) -> None:
        folder = os.environ.get("GRID_FIGURES")
        if not folder:
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        said = {
            "id": invariant,
            "figures": figures,
            "date": system_clock().date().isoformat(),
            "machine": f"{os.cpu_count()} processors, {platform.machine()}, {platform.system()}",
            "command": "./gridwhistle test --soak" if soak else "./gridwhistle test",
        }
        path = Path(folder) / f"{invariant}.json"
        path.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    return write


@pytest.fixture
def clock() -> MovingClock:
    """The time of the city, moved by the test."""
    return MovingClock()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The run's PostGIS, with a template database whose schema the migrations made."""
    from api.cluster import Cluster
    from api.database import make_engine, migrate

    root = Path(os.environ[_ROOT])
    cluster = Cluster(root / "pg", fast=True).start()
    with (root / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = root / "template.ready"
        if not ready.exists():
            cluster.create_database(_TEMPLATE)
            engine = make_engine(cluster.url(_TEMPLATE))
            migrate(engine)
            engine.dispose()
            ready.touch()
    yield cluster
    cluster.release()


@pytest.fixture(scope="session")
def make_database(cluster: Cluster, worker_id: str) -> Callable[[], str]:
    """Make one more database with the full schema (0.07 s) and return its address."""
    made = 0

    def make() -> str:
        nonlocal made
        made += 1
        name = f"test_{worker_id}_{made}"
        cluster.create_database(name, template=_TEMPLATE)
        return cluster.url(name)

    return make


@pytest.fixture(scope="session")
def made_up(cluster: Cluster, worker_id: str) -> Callable[..., tuple[str, DemoFacts]]:
    """Make a database with the smallest made-up district; return its address and what was made.

    made_up(now) is the district as made at that moment; made_up() is as `gridwhistle demo` makes it today, with
    the messages that leave the house. Each is made once in a run by whichever worker asks first (5 s); everybody
    gets a clone of it (0.1 s) to do with as they please.
    """
    root = Path(os.environ[_ROOT])
    made = 0

    def clone(now: datetime | None = None) -> tuple[str, DemoFacts]:
        nonlocal made
        made += 1
        template = f"made_up_{now:%Y%m%d%H%M}" if now else "made_up_today"
        told = root / f"{template}.pickle"
        with (root / f"{template}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not told.exists():
                cluster.create_database(template, template=_TEMPLATE)
                told.write_bytes(pickle.dumps(_make_up(cluster.url(template), now)))
        name = f"made_up_{worker_id}_{made}"
        cluster.create_database(name, template=template)
        return cluster.url(name), pickle.loads(told.read_bytes())

    return clone


def _make_up(address: str, now: datetime | None) -> DemoFacts:
    from sqlalchemy.orm import Session

    from api.clock import system_clock
    from api.database import make_engine
    from api.wording import renderer
    from grids import demo

    engine = make_engine(address)
    render = None if now else renderer(None)
    with Session(engine) as session, session.begin():
        made = demo.make(session, scale=demo.Scale.TINY, seed=1, now=now or system_clock(), render=render)
    engine.dispose()
    return made


@pytest.fixture(scope="session")
def engine(make_database: Callable[[], str]) -> Iterator[Engine]:
    """An engine on this worker's own database; what is committed there stays for its later tests."""
    from api.database import make_engine

    engine = make_engine(make_database())
    yield engine
    engine.dispose()


@pytest.fixture
def home(engine: Engine) -> Engine:
    """The database that `session` works on."""
    return engine


@pytest.fixture
def session(home: Engine) -> Iterator[Session]:
    """A session whose every commit is undone when the test ends."""
    from sqlalchemy.orm import Session

    with home.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            yield session
        outer.rollback()


def _load_http() -> ModuleType:
    if "city_over_http" in sys.modules:
        return sys.modules["city_over_http"]
    path = Path(__file__).with_name("city_over_http.py")
    spec = importlib.util.spec_from_file_location("city_over_http", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["city_over_http"] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def http() -> ModuleType:
    """The module that knows the city behind the application: its CELLS, PEOPLE, PASSWORD."""
    return _load_http()


@pytest.fixture(scope="session")
def city_template(http: ModuleType, cluster: Any, make_database: Callable[[], str]) -> str:
    """The database that every city is a clone of."""
    name: str = http.build_template(cluster, make_database)
    return name
