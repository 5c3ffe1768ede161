"""A figure as a file: `format=csv|xlsx|geojson|gpkg` on the addresses of /api/measures that give rows.

    return table(cells, "hotspots", chosen, head) or MeasureOut[...].model_validate({**head, ...})

`table` gives None where JSON is wanted. Beside the rows a file says what was asked for and how it is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import pandas as pd
from fastapi import Depends, Query, Response

from api.deps import ReadOnly, Words
from api.exports import Exporter, JsonExporter
from api.figuretables import about_figure
from api.i18n import Words as InWords
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


@dataclass(frozen=True)
class Maker:
    """What makes a file of a figure, where one is wanted."""

    session: ReadOnly
    exporter: Exporter
    words: InWords
    wanted: TableFormat

    @property
    def json(self) -> bool:
        """Whether no file is wanted."""
        return self.wanted is TableFormat.JSON

    def __call__(
        self, frame: pd.DataFrame, name: str, chosen: Figures, head: Mapping[str, Any]
    ) -> Response | None:
        """Return the file of a figure, None for JSON.

        frame : its rows. name : see `about_figure`. head : of its JSON, which says what was asked for.
        """
        if self.json:
            return None
        words = self.words
        kind = TableKind(self.wanted.value)
        names = Names(self.session, words, self.exporter.at)
        number = chosen.window.edition
        about = about_figure(
            name,
            chosen.window,
            metric=head["metric"],
            definition=head["definition"],
            place=" › ".join(above for _, above in names.above(chosen.area)),
            category=words.name(chosen.category),
            grid=editions.get(self.session, number).name if number else "",
            as_of=self.exporter.at,
            mark=self.exporter.mark,
            words=words,
        )
        made = write_table(frame, columns_of(frame, words), kind, about, words)
        return self.exporter.file(made, f"{about.name}.{kind.value}", MEDIA_TYPES[kind], rows=len(frame))


def _maker(
    session: ReadOnly,
    exporter: JsonExporter,
    words: Words,
    wanted: Annotated[
        TableFormat, Query(alias="format", description="JSON, or the same rows as a file to take away")
    ] = TableFormat.JSON,
) -> Maker:
    return Maker(session, exporter, words, wanted)


FigureTable = Annotated[Maker, Depends(_maker)]
"""What makes a file of a figure, or None for JSON."""
