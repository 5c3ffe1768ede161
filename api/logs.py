"""Logs as JSON lines: one object a line, nothing in it that names a person.

A request is logged by its id, method, route (not its address: a query may hold a place or a name), status,
duration and the number of the person who acted. Texts, telephone numbers and passwords never get here.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

__all__ = ["JsonLines", "configure"]


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object; `extra={"facts": {...}}` joins its members."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line: time, level, logger, message, facts and, for a fault, its traceback."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        facts = getattr(record, "facts", None)
        if isinstance(facts, dict):
            line.update(facts)
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every log of this process to a stream (standard error) as JSON lines, in place of what was set."""
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        theirs = logging.getLogger(name)
        theirs.handlers.clear()
        theirs.propagate = name != "uvicorn.access"  # we log requests ourselves, without their queries
