"""The limits and the calendar over HTTP: who sees them, who drafts, and that a second person publishes."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

READERS = ("platform", "governance", "auditor")
OTHERS = ("worker", "leader", "centre", "town", "hotline", "scjg")
TOMORROW = "2026-06-04"
OURS = """code = "ours"
name = "本区方案"
name_en = "Ours"
source = "a paper"
return_window = "3 work_day"
""".encode()
NOTICE = "day,working,name\n2027-01-01,no,元旦\n2027-02-14,yes,春节\n2027-02-15,no,春节\n".encode()


def see(city: Any, who: str, path: str, status: int = 200) -> str:
    answer = city.as_(who).get(path, headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text
    return str(answer.text)


def words_of(page: str) -> str:
    """Return the text of a page, as it is read."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def send(city: Any, who: str, path: str, files: Any = None, **fields: str) -> Any:
    headers = {"accept": "text/html"}
    return city.as_(who).post(path, data=fields, files=files, headers=headers, follow_redirects=False)


def done(city: Any, who: str, path: str, files: Any = None, **fields: str) -> str:
    """Send a form that is carried out; return where it leads."""
    answer = send(city, who, path, files, **fields)
    assert answer.status_code == 303, words_of(answer.text)
    return str(answer.headers["location"])


def refused(city: Any, who: str, path: str, status: int, code: str, files: Any = None, **fields: str) -> str:
    """Send a form that comes back with a problem; return the page."""
    answer = send(city, who, path, files, **fields)
    assert (answer.status_code, code in answer.text) == (status, True), words_of(answer.text)
    return str(answer.text)


def number_in(address: str) -> int:
    return int(re.findall(r"\d+$", address)[0])


@pytest.mark.parametrize("who", READERS)
def test_those_who_keep_and_check_the_rules_see_them(still_city: Any, who: str) -> None:
    limits, calendar = (see(still_city, who, f"/rules/{page}") for page in ("limits", "calendar"))

    assert "缺省方案" in limits
    assert "2 工作日" in words_of(limits) or "2 个工作日" in words_of(limits)
    assert "国庆节" in calendar
    assert calendar.count('class="month"') == 12
    for page in (limits, calendar):
        assert ('<form method="post" action="/rules/' in page) == (who != "auditor")


@pytest.mark.parametrize("who", OTHERS)
def test_nobody_else_sees_drafts_or_changes_rules(still_city: Any, who: str) -> None:
    for path in ("/rules/limits", "/rules/calendar"):
        assert path not in see(still_city, who, "/home")
        see(still_city, who, path, 403)
        assert send(still_city, who, path, shipped="shandong", effective=TOMORROW).status_code == 403
    for path in ("limits", "calendar/drafts"):
        assert still_city.as_(who).get(f"/api/{path}").status_code == 403
    assert still_city.see(who, "limits/in-force", district="990101")["code"] == "default"
    assert still_city.see(who, "calendar/2026")["known"]


def test_an_auditor_looks_and_changes_nothing(still_city: Any) -> None:
    for path in (
        "/rules/limits",
        "/rules/calendar",
        "/rules/limits/1/publish",
        "/rules/calendar/drafts/1/publish",
    ):
        assert send(still_city, "auditor", path, shipped="shandong", effective=TOMORROW).status_code == 403


def test_limits_are_drafted_compared_and_published_by_a_second_person(city: Any) -> None:
    address = done(city, "platform", "/rules/limits", shipped="shandong", effective="2026-06-03")
    number = number_in(address)

    page = words_of(see(city, "platform", address))
    assert "4 项时限不同" in page
    assert "须由另一人发布" in page  # and so no button for who drafted it
    assert f"/rules/limits/{number}/publish" not in see(city, "platform", "/rules/limits")
    refused(city, "platform", f"/rules/limits/{number}/publish", 403, "second_person_needed")
    assert city.see("platform", "limits/in-force", district="990101")["code"] == "default"
    assert f"/rules/limits/{number}/publish" in see(city, "governance", "/rules/limits")

    done(city, "governance", f"/rules/limits/{number}/publish")

    held = city.see("worker", "limits/in-force", district="990101")
    assert (held["code"], held["version"], held["rules"]["return_window"]) == ("shandong", 1, "2 work_day")
    assert "山东方案" in see(city, "platform", "/rules/limits")
    (stored,) = city.see("auditor", "limits")
    assert (stored["status"], stored["published_by"] != stored["drafted_by"]) == ("published", True)
    assert city.see("auditor", f"limits/{number}")["changes"] == []


def test_a_file_of_limits_is_read_or_comes_back_with_the_reason(city: Any) -> None:
    def file(content: bytes) -> Any:
        return {"file": ("ours.toml", content)}

    wrong = OURS.replace(b"3 work_day", b"3 weeks")
    page = refused(city, "platform", "/rules/limits", 422, "bad_profile", file(wrong), effective=TOMORROW)
    assert "return_window" in words_of(page)
    refused(city, "platform", "/rules/limits", 422, "file_needed", effective=TOMORROW)
    refused(city, "platform", "/rules/limits", 422, "past_day", file(OURS), effective="2026-06-01")
    refused(city, "platform", "/rules/limits", 422, "bad_time", file(OURS), effective="soon")
    refused(city, "platform", "/rules/limits", 422, "bad_profile", file(b"#" * 70_000), effective=TOMORROW)

    number = number_in(done(city, "platform", "/rules/limits", file(OURS), effective=TOMORROW))

    assert city.see("governance", f"limits/{number}")["changes"] == [
        {"field": "return_window", "before": "1 work_day", "after": "3 work_day"}
    ]
    done(city, "governance", f"/rules/limits/{number}/publish")
    assert "2026-06-04" in words_of(see(city, "platform", "/rules/limits"))  # published, and not in force yet
    assert city.see("platform", "limits/in-force", district="990101", day="2026-06-04")["code"] == "ours"


def test_a_year_is_drafted_from_a_notice_and_published_by_a_second_person(city: Any) -> None:
    address = done(
        city,
        "platform",
        "/rules/calendar",
        {"file": ("2027.csv", NOTICE)},
        year="2027",
        source="国办发明电〔2026〕7号",
    )
    number = number_in(address)

    page = see(city, "platform", address)
    assert "国办发明电〔2026〕7号" in page
    assert page.count('class="cal-holiday cal-change"') == 2
    assert page.count('class="cal-made_up cal-change"') == 1
    assert city.see("worker", "calendar/2027") == {"year": 2027, "known": False, "days": []}
    refused(city, "platform", f"/rules/calendar/drafts/{number}/publish", 403, "second_person_needed")

    assert done(city, "governance", f"/rules/calendar/drafts/{number}/publish") == "/rules/calendar?year=2027"

    said = city.see("worker", "calendar/2027")
    assert said["known"]
    assert {"day": "2027-02-14", "working": True, "name": "春节"} in said["days"]
    assert city.see("auditor", f"calendar/drafts/{number}")["status"] == "published"
    assert [one["year"] for one in city.see("auditor", "calendar/drafts")] == [2027]


def test_a_notice_with_a_slip_comes_back_and_stores_nothing(city: Any) -> None:
    def file(content: bytes) -> Any:
        return {"file": ("2027.csv", content)}

    refused(
        city,
        "platform",
        "/rules/calendar",
        422,
        "bad_notice",
        file(b"day,working\nx,no\n"),
        year="2027",
        source="通知",
    )
    refused(city, "platform", "/rules/calendar", 422, "bad_notice", file(NOTICE), year="2028", source="通知")
    refused(city, "platform", "/rules/calendar", 422, "source_needed", file(NOTICE), year="2027")
    refused(city, "platform", "/rules/calendar", 422, "file_needed", year="2031")
    refused(city, "platform", "/rules/calendar", 422, "bad_number", year="soon")

    assert city.see("platform", "calendar/drafts") == []


def test_a_draft_of_the_running_year_shows_what_it_would_change(city: Any) -> None:
    address = done(city, "platform", "/rules/calendar", year="2026")
    assert "与现有日历没有差别" in see(city, "governance", address)

    done(city, "governance", f"/rules/calendar/drafts/{number_in(address)}/withdraw")
    refused(city, "governance", f"/rules/calendar/drafts/{number_in(address)}/publish", 409, "not_a_draft")


def told(city: Any) -> list[str]:
    """What /readyz warns of the calendar."""
    return [said for said in city.stranger().get("/readyz").json()["warnings"] if "calendar" in said]


def test_a_calendar_that_ends_soon_is_told_to_those_who_keep_it(city: Any, clock: Any) -> None:
    assert "只载入到" not in see(city, "platform", "/rules/calendar")
    assert told(city) == []

    clock.advance(days=160)  # the tenth of November

    assert "只载入到 2026-12-31" in words_of(see(city, "platform", "/rules/calendar"))
    (warning,) = told(city)
    assert "2026-12-31" in warning
    assert "尚未载入" in see(city, "platform", "/rules/calendar?year=2027")


@pytest.mark.parametrize(
    "path", ["calendar/1999", "calendar/abc", "limits/0", "limits/in-force?district=9901"]
)
def test_an_address_that_makes_no_sense_is_refused(still_city: Any, path: str) -> None:
    assert still_city.as_("platform").get(f"/api/{path}").status_code == 422


def test_what_does_not_exist_is_not_found(still_city: Any) -> None:
    for path in ("limits/999999", "calendar/drafts/999999"):
        assert still_city.as_("platform").get(f"/api/{path}").status_code == 404
    see(still_city, "platform", "/rules/calendar?draft=999999", 404)
    assert "2026" in see(still_city, "platform", "/rules/calendar?year=9999")
