"""Make up buildings and a road for one community, to try `grids plan` with.

python docs/examples/plan/make_buildings.py GRID_FILE COMMUNITY

Writes buildings.csv (lon, lat, households, people; WGS84) and road.geojson into the current directory. The buildings
stand in streets, as many as the community's households fill; nothing of it is real.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

__all__: list[str] = []


def main(grid_file: str, community: str) -> None:
    """Write both files for one community of a file of areas with a column `code`."""
    areas = gpd.read_file(grid_file).set_index("code")
    area = areas.loc[community]
    homes = int(area["households"]) if area["households"] == area["households"] else 1500
    random = np.random.default_rng(int(community) % 2**32)
    west, south, east, north = area.geometry.bounds
    middle = np.array([(west + east) / 2, (south + north) / 2])
    step = np.sqrt(area.geometry.area / max(homes / 9, 1))
    reach = int(2 * max(east - west, north - south) / step)
    grid = np.stack(np.meshgrid(np.arange(-reach, reach), np.arange(-reach, reach)), axis=-1).reshape(-1, 2)
    turn = np.radians(17.0)
    turned = grid @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    places = middle + step * (turned + random.uniform(-0.28, 0.28, turned.shape))
    places = places[shapely.contains_xy(area.geometry, places[:, 0], places[:, 1])]
    households = np.maximum(random.poisson(homes / len(places), len(places)), 1)
    people = random.binomial(4 * households, 0.5)
    with Path("buildings.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["lon", "lat", "households", "people"])
        for (lon, lat), home, person in zip(places, households, people, strict=True):
            writer.writerow([f"{lon:.6f}", f"{lat:.6f}", home, person])
    along = np.linspace(-1, 1, 25)
    bend = np.column_stack([along, 0.25 * np.sin(2.5 * along)]) * np.array([east - west, north - south])
    line = {"type": "LineString", "coordinates": np.round(middle + bend, 6).tolist()}
    road = {"type": "Feature", "properties": {"name": "a road"}, "geometry": line}
    Path("road.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [road]}), "utf-8")
    print(f"buildings.csv: {len(places)} buildings, {households.sum()} households; road.geojson")  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:3])
