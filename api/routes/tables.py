"""A figure as a file: `format=csv|xlsx|geojson|gpkg` on the addresses of /api/measures that give rows.

    return table(cells, "hotspots", chosen, head) or MeasureOut[...].model_validate({**head, ...})

`table` gives None where JSON is wanted. Beside the rows a file says what was asked for and how it is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import pandas as pd
from fastapi import Depends, Query, Response

from api.deps import ReadOnly, Words
from api.exports import JsonExporter
from api.figuretables import about_figure
from api.names import Names
from api.routes.window import Figures
from api.tablefiles import MEDIA_TYPES, TableKind, columns_of, write_table
from grids.ground import editions

__all__ = ["FigureTable", "TableFormat"]


class TableFormat(StrEnum):
    """As what a table is given."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    GEOJSON = "geojson"
    GPKG = "gpkg"


Maker = Callable[[pd.DataFrame, str, Figures, Mapping[str, Any]], Response | None]


def _figure_table(
    session: ReadOnly,
    exporter: JsonExporter,
    words: Words,
    wanted: Annotated[
        TableFormat, Query(alias="format", description="JSON, or the same rows as a file to take away")
    ] = TableFormat.JSON,
) -> Maker:
    """Return what makes a file of a figure: of its rows, its name, what was asked for, and the head of its JSON."""

    def table(frame: pd.DataFrame, name: str, chosen: Figures, head: Mapping[str, Any]) -> Response | None:
        if wanted is TableFormat.JSON:
            return None
        kind = TableKind(wanted.value)
        names = Names(session, words, exporter.at)
        number = chosen.window.edition
        about = about_figure(
            name,
            chosen.window,
            metric=head["metric"],
            definition=head["definition"],
            place=" › ".join(above for _, above in names.above(chosen.area)),
            category=words.name(chosen.category),
            grid=editions.get(session, number).name if number else "",
            as_of=exporter.at,
            mark=exporter.mark,
            words=words,
        )
        made = write_table(frame, columns_of(frame, words), kind, about, words)
        return exporter.file(made, f"{about.name}.{kind.value}", MEDIA_TYPES[kind], rows=len(frame))

    return table


FigureTable = Annotated[Maker, Depends(_figure_table)]
"""What makes a file of a figure, or None for JSON."""
