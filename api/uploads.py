"""Files of areas that come by HTTP: read under tighter limits than on the command line, stored as a draft."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from api.deps import ReadOnly, UnitOfWork
from gis.crs import Frame
from gis.errors import UnknownFrame
from gis.files.archives import FileLimits
from grids.ground import editions
from grids.ground.framing import judge_frame, references_in_force
from grids.ground.mapping import read_mapping
from grids.ground.plan import check_plan, plan_edition
from grids.rules.levels import GridLevel
from grids.rules.permissions import Actor, require_grid_keeper, signature
from grids.tables import Edition

__all__ = ["LIMITS", "Upload", "load_upload", "opened"]

LIMITS = FileLimits(
    bytes=50_000_000,
    features=25_000,
    vertices=2_000_000,
    memory_bytes=2_000_000_000,
    cpu_seconds=30,
    wall_seconds=45.0,
)
"""What a file may ask of us."""


@dataclass(frozen=True)
class Upload:
    """A file of areas as somebody sent it; its name is only believed as far as its ending.

    mapping : the TOML that says which column holds what. frame, layer, encoding : as `gis.areas.read_areas`.
    accept_frame : why that frame is taken although another one fits better.
    """

    filename: str
    data: bytes
    mapping: bytes | None = None
    frame: str | None = None
    layer: str | None = None
    encoding: str | None = None
    accept_frame: str | None = None


def load_upload(
    session: UnitOfWork,
    sent: Upload,
    *,
    name: str | None,
    effective: date,
    by: Actor,
    now: datetime,
    admit: Callable[[str], str],
) -> Edition:
    """Store a file as a draft with what the gate said of it; its frame is held against the edition in force.

    admit : gives the name of a frame that the operator lets in, or refuses it.
    Raises what reading and planning raise, and `Forbidden` or `NotFound` for a district that is not one's own.
    """
    require_grid_keeper(by)
    with tempfile.TemporaryDirectory(prefix="gridwhistle-upload-") as directory:
        path = Path(directory) / f"grid{Path(sent.filename).suffix.lower()[:12]}"
        path.write_bytes(sent.data)
        mapping = None
        if sent.mapping is not None:
            toml = Path(directory) / "mapping.toml"
            toml.write_bytes(sent.mapping)
            mapping = read_mapping(toml)
        declared = sent.frame or (None if mapping is None else mapping.frame)
        if declared is None:
            raise UnknownFrame(
                "frame_not_declared",
                "say what the coordinates are really counted in, whatever the file claims",
                field="frame",
                wanted=[str(one) for one in Frame],
            )
        plan = plan_edition(
            path,
            mapping,
            layer=sent.layer,
            frame=admit(str(declared)),
            encoding=sent.encoding,
            limits=LIMITS,
        )
    districts = plan.frame.loc[plan.frame["level"] == GridLevel.DISTRICT, "code"].tolist()
    require_grid_keeper(by, districts)
    report = judge_frame(
        check_plan(plan),
        plan,
        references=references_in_force(session, plan, on=effective),
        accepted=sent.accept_frame,
    )
    return editions.load(
        session,
        plan,
        report,
        name=name or Path(sent.filename).stem,
        effective_from=effective,
        now=now,
        by=signature(by),
    )


def opened(session: ReadOnly, me: Actor, number: int) -> Edition:
    """Return an edition that this person may work on; raises `NotFound`, `Forbidden`."""
    edition = editions.get(session, number)
    require_grid_keeper(me, editions.districts_of(session, number))
    return edition
