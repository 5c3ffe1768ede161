"""Maps of the city: (Geo)DataFrames in, folium.Map out; no session, no SQL, no request to another host.

m = area_map(own, neighbours, incidents, recurrences, words=Words("zh-CN", translate), as_of=now)
html = page(m, Assets(static_folder), nonce=nonce)
"""

from __future__ import annotations

from maps.area import area_map
from maps.base import GridMap, base_map, safe_text, say_grid
from maps.changes import change_map
from maps.coverage import coverage_map
from maps.density import density_map
from maps.export import Assets, page, save_html
from maps.faults import fault_map
from maps.hotspots import hotspot_map
from maps.recurrences import recurrence_map
from maps.responses import rate_map, response_map
from maps.weeks import Weeks
from maps.words import Words

__all__ = [
    "Assets",
    "GridMap",
    "Weeks",
    "Words",
    "area_map",
    "base_map",
    "change_map",
    "coverage_map",
    "density_map",
    "fault_map",
    "hotspot_map",
    "page",
    "rate_map",
    "recurrence_map",
    "response_map",
    "safe_text",
    "save_html",
    "say_grid",
]
