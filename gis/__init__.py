"""The spatial engine: shapes, places and statistics of space; no database, no city, no HTTP.

Frames in, frames out: everything here takes plain values, arrays and shapely polygons, holds no global state,
and may be called from any thread or process.
"""

from __future__ import annotations

from gis.clusters import space_time_clusters
from gis.coverage import check_coverage
from gis.crs import (
    STORAGE_SRID,
    Frame,
    from_storage,
    looks_swapped,
    metres_between,
    metric_crs,
    parse_frame,
    to_storage,
)
from gis.hotspots import LocalMoran, benjamini_hochberg, getis_ord_star, local_moran, two_sided_p
from gis.locate import Locator
from gis.weights import contiguity, distance_band, star

__all__ = [
    "STORAGE_SRID",
    "Frame",
    "LocalMoran",
    "Locator",
    "benjamini_hochberg",
    "check_coverage",
    "contiguity",
    "distance_band",
    "from_storage",
    "getis_ord_star",
    "local_moran",
    "looks_swapped",
    "metres_between",
    "metric_crs",
    "parse_frame",
    "space_time_clusters",
    "star",
    "to_storage",
    "two_sided_p",
]
