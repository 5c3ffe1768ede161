"""The spatial engine: shapes, places and statistics of space; no database, no city, no HTTP.

Frames in, frames out: everything here takes plain values, arrays and shapely polygons, holds no global state,
and may be called from any thread or process. Names are loaded when they are first used, so that `gis.errors`
does not wait for the numeric libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from gis.density import Band, Surface, bands, kernel_density, round_breaks
    from gis.emerging import Emerging, MannKendall, Pattern, emerging_hotspots, mann_kendall
    from gis.hotspots import (
        LocalMoran,
        MoransI,
        StarTest,
        benjamini_hochberg,
        getis_ord_star,
        local_moran,
        morans_i,
        star_test,
        two_sided_p,
    )
    from gis.locate import Locator
    from gis.smoothing import empirical_bayes, standardised_rates
    from gis.weights import contiguity, distance_band, star

__all__ = [
    "STORAGE_SRID",
    "Band",
    "Emerging",
    "Frame",
    "LocalMoran",
    "Locator",
    "MannKendall",
    "MoransI",
    "Pattern",
    "StarTest",
    "Surface",
    "bands",
    "benjamini_hochberg",
    "check_coverage",
    "contiguity",
    "distance_band",
    "emerging_hotspots",
    "empirical_bayes",
    "from_storage",
    "getis_ord_star",
    "kernel_density",
    "local_moran",
    "looks_swapped",
    "mann_kendall",
    "metres_between",
    "metric_crs",
    "morans_i",
    "parse_frame",
    "round_breaks",
    "space_time_clusters",
    "standardised_rates",
    "star",
    "star_test",
    "to_storage",
    "two_sided_p",
]

_HOMES = {
    "gis.clusters": ("space_time_clusters",),
    "gis.coverage": ("check_coverage",),
    "gis.crs": (
        "STORAGE_SRID",
        "Frame",
        "from_storage",
        "looks_swapped",
        "metres_between",
        "metric_crs",
        "parse_frame",
        "to_storage",
    ),
    "gis.density": ("Band", "Surface", "bands", "kernel_density", "round_breaks"),
    "gis.emerging": ("Emerging", "MannKendall", "Pattern", "emerging_hotspots", "mann_kendall"),
    "gis.hotspots": (
        "LocalMoran",
        "MoransI",
        "StarTest",
        "benjamini_hochberg",
        "getis_ord_star",
        "local_moran",
        "morans_i",
        "star_test",
        "two_sided_p",
    ),
    "gis.locate": ("Locator",),
    "gis.smoothing": ("empirical_bayes", "standardised_rates"),
    "gis.weights": ("contiguity", "distance_band", "star"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'gis' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
