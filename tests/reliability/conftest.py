"""What the reliability tests stand on: the modules beside them, a city, and a PostGIS that they may kill."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from api.cluster import Cluster


@pytest.fixture(scope="session")
def parts() -> Callable[[str], ModuleType]:
    """The modules beside the tests by name: `model`, `drive`, `replay`."""

    def load(name: str) -> ModuleType:
        known = f"reliability_{name}"
        if known not in sys.modules:
            spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
            assert spec is not None
            assert spec.loader is not None
            module = sys.modules[known] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        return sys.modules[known]

    return load


@pytest.fixture(scope="session")
def city_engine(cluster: Any, city_template: str, worker_id: str) -> Iterator[Any]:
    """An engine on a clone of the small city of the tests over HTTP; what is committed there stays."""
    from api.database import make_engine

    name = f"reliable_{worker_id}"
    cluster.create_database(name, template=city_template)
    engine = make_engine(cluster.url(name), pool_size=20)
    yield engine
    engine.dispose()


class Rig:
    """A durable PostGIS of one's own, that can be crashed."""

    def __init__(self, cluster: Cluster, root: Path) -> None:
        self._cluster, self._root = cluster, root
        self._made = 0

    def database(self) -> str:
        """Make an empty database with the full schema; return its address."""
        from api.database import make_engine, migrate

        self._made += 1
        name = f"rig_{self._made}"
        self._cluster.create_database(name)
        url = self._cluster.url(name)
        engine = make_engine(url)
        migrate(engine)
        engine.dispose()
        return url

    def crash(self) -> None:
        """Stop the server at once, as a crash does, and start it again: it recovers from its log."""
        from api.cluster import Cluster

        postmaster = int((self._cluster.data / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGQUIT)
        while subprocess.run(["ps", "-p", str(postmaster)], capture_output=True, check=False).returncode == 0:
            time.sleep(0.02)
        self._cluster = Cluster(self._root / "pg").start()

    def stop(self) -> None:
        """Stop the server for good."""
        self._cluster.stop()


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """A PostGIS that keeps what it acknowledges, for the tests of one module."""
    from api.cluster import Cluster

    root = Path(tempfile.mkdtemp(prefix="gridwhistle-rig-"))
    root.chmod(0o755)
    made = Rig(Cluster(root / "pg").start(), root)
    yield made
    made.stop()
    shutil.rmtree(root)
