"""Areas as a file of each kind that we also read (`gis.areas`), with all digits of their coordinates.

GeoJSON and KML have no word for a frame but WGS84, from which CGCS2000 is less than a metre away (`gis.crs`).
"""

from __future__ import annotations

import errno
import json
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import geopandas as gpd
import pandas as pd
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.geometry.base import BaseGeometry

from gis.errors import InvalidInput
from gis.files.filekinds import FileKind
from gis.files.kml import write_kml

__all__ = ["KINDS_WRITTEN", "write_areas", "write_features"]

KINDS_WRITTEN = {
    ".gpkg": FileKind.GEOPACKAGE,
    ".geojson": FileKind.GEOJSON,
    ".zip": FileKind.SHAPEFILE,
    ".kml": FileKind.KML,
    ".fgb": FileKind.FLATGEOBUF,
    ".parquet": FileKind.GEOPARQUET,
}
"""The kinds that areas are written as, by the end of the file's name; a Shapefile is a zip of its parts."""


def write_areas(frame: gpd.GeoDataFrame, path: Path, kind: FileKind, *, layer: str) -> None:
    """Write areas in EPSG:4490 to a new file of one of `KINDS_WRITTEN`; KML takes polygons only.

    layer : the name of the layer, document or parts, for kinds that have such.
    Raises `OSError` where the place cannot be written to, and `InvalidInput` (`cannot_write`) where a Shapefile
    would cut a column's name or a text short.
    """
    try:
        if kind is FileKind.GEOPACKAGE:
            frame.to_file(path, layer=layer, driver="GPKG")
        elif kind is FileKind.FLATGEOBUF:
            frame.to_file(path, layer=layer, driver="FlatGeobuf")
        elif kind is FileKind.GEOPARQUET:
            frame.to_parquet(path, index=False)
        elif kind is FileKind.SHAPEFILE:
            _write_shapefile(frame, path, layer)
        else:
            with path.open("w", encoding="utf-8", newline="\n") as file:
                if kind is FileKind.KML:
                    write_kml(file, layer, _rows(frame))
                else:
                    write_features(file, _features(frame))
    except (DataSourceError, DataLayerError, OSError) as refused:  # of which few say at which file
        number = getattr(refused, "errno", None) or errno.EIO
        raise OSError(number, getattr(refused, "strerror", None) or str(refused), str(path)) from refused


def write_features(file: IO[str], features: Iterable[dict[str, Any]]) -> int:
    """Write a FeatureCollection, a feature a line, every coordinate with all of its digits (GDAL rounds them).

    Returns how many there were.
    """
    file.write('{"type": "FeatureCollection", "features": [')
    count = 0
    for count, feature in enumerate(features, start=1):
        file.write(("\n" if count == 1 else ",\n") + json.dumps(feature, ensure_ascii=False, allow_nan=False))
    file.write("\n]}\n")
    return count


def _features(frame: gpd.GeoDataFrame) -> Iterator[dict[str, Any]]:
    for properties, shape in _rows(frame):
        geometry = None if shape is None else json.loads(shapely.to_geojson(shape))
        yield {"type": "Feature", "geometry": geometry, "properties": properties}


def _rows(frame: gpd.GeoDataFrame) -> Iterator[tuple[dict[str, Any], BaseGeometry | None]]:
    table = pd.DataFrame(frame.drop(columns="geometry")).astype(object)
    records: list[dict[Any, Any]] = table.where(table.notna(), None).to_dict("records")
    return zip(records, frame.geometry, strict=True)


def _write_shapefile(frame: gpd.GeoDataFrame, path: Path, layer: str) -> None:
    with tempfile.TemporaryDirectory(prefix="gridwhistle-export-") as directory:
        with warnings.catch_warnings(record=True) as cut:
            warnings.simplefilter("ignore")
            for of_cuts in (UserWarning, RuntimeWarning):  # geopandas' word for it, and GDAL's
                warnings.simplefilter("always", of_cuts)
            frame.to_file(Path(directory) / f"{layer}.shp", driver="ESRI Shapefile", encoding="UTF-8")
        if cut:
            raise InvalidInput(
                "cannot_write",
                f"a Shapefile cannot hold this whole ({cut[0].message}): choose another kind of file",
                field="output",
            )
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(Path(directory).iterdir()):
                archive.write(part, part.name)
