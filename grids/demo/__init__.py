"""A made-up district with its people and a year of cases, the same for the same seed.

`make` is the door. The ground comes from `ground`, people from `people`, what goes wrong from `happenings`, the
finished cases from `incidents`, and the cases that run through the real use cases, those still open among them,
from `stories`.
"""

from __future__ import annotations

from grids.demo.city import PASSWORD, DemoFacts, make
from grids.demo.people import DemoLogin
from grids.demo.scales import Scale

__all__ = ["PASSWORD", "DemoFacts", "DemoLogin", "Scale", "make"]
