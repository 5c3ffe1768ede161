"""Figures from facts: arrays of cases in, one row a grid out."""

from __future__ import annotations

__all__: list[str] = []
