"""Faults and reports, as people and machines read them."""

from __future__ import annotations

import json

from shapely.geometry import box

from gis.faults import CoverageReport, Fault, FaultKind, Repair, Severity

GAP = Fault(
    FaultKind.GAP,
    ("370116", "370116001"),
    "12.0 m2 of 370116 lie in no town",
    level="town",
    area_m2=12.0,
    lon=117.1,
    lat=34.2,
    geometry=box(117, 34, 117.2, 34.4),
)
SMALL = Fault(FaultKind.SIZE_RULE, ("370116001001001",), "it has 20 households", Severity.WARNING)


def test_a_fault_is_one_line_with_its_place():
    assert GAP.line() == "error gap: 12.0 m2 of 370116 lie in no town at 117.100000, 34.200000"
    assert SMALL.line() == "warning size_rule: it has 20 households"


def test_an_accepted_fault_is_a_warning_that_says_why():
    accepted = GAP.accepted("an airfield")

    assert accepted.severity is Severity.WARNING
    assert accepted.message.endswith("(accepted: an airfield)")
    assert (accepted.kind, accepted.codes, accepted.area_m2) == (GAP.kind, GAP.codes, GAP.area_m2)


def test_only_errors_stop_a_publication():
    assert not CoverageReport({"town": 2}, (GAP, SMALL)).ok
    assert CoverageReport({"town": 2}, (SMALL,)).ok


def test_a_report_ends_with_its_verdict_and_says_what_it_allowed():
    report = CoverageReport({"town": 2}, (GAP, SMALL), {"edge_m": 1.0}, ("The town hall was not looked at.",))

    assert report.lines() == [
        "Looked at 2 town.",
        "Allowed: edge_m 1.",
        GAP.line(),
        SMALL.line(),
        "The town hall was not looked at.",
        "1 errors, 1 warnings: 1 gap (error), 1 size_rule (warning).",
    ]


def test_a_report_is_plain_values_for_a_machine():
    machine = json.loads(json.dumps(CoverageReport({"town": 2}, (GAP,), {"edge_m": 1.0}).to_dict()))

    assert machine["ok"] is False
    assert machine["tolerance"] == {"edge_m": 1.0}
    assert machine["faults"][0]["kind"] == "gap"
    assert machine["faults"][0]["geometry"]["type"] == "Polygon"


def test_a_repair_is_one_line_before_and_after():
    done = Repair(GAP, "370116001 has the gap now", {"370116001": (100.0, 112.0)})
    left = Repair(GAP, "the gap is 9.0 m wide, more than 2 m")

    assert done.line() == (
        "repaired gap: 370116001 has the gap now at 117.100000, 34.200000 "
        "(370116001 100.0 m2 before, 112.0 m2 after)"
    )
    assert left.line() == "left gap: the gap is 9.0 m wide, more than 2 m at 117.100000, 34.200000"
    assert (done.done, left.done) == (True, False)


def test_a_report_says_first_what_was_repaired():
    done = Repair(GAP, "370116001 has the gap now", {"370116001": (100.0, 112.0)})
    report = CoverageReport({"town": 2}, (SMALL,), {"edge_m": 1.0}, (), (done,))

    assert report.lines()[2:4] == [done.line(), SMALL.line()]
    machine = json.loads(json.dumps(report.to_dict()))
    (repair,) = machine["repairs"]
    assert repair["done"] is True
    assert (repair["kind"], repair["codes"], repair["area_m2"]) == ("gap", ["370116", "370116001"], 12.0)
    assert repair["areas"] == [{"code": "370116001", "before_m2": 100.0, "after_m2": 112.0}]
    assert repair["geometry"]["type"] == "Polygon"
