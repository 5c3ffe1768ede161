"""Somebody at a browser: the made-up district behind a server, and one person who looks around in it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import playwright.sync_api
import uvicorn
from geoalchemy2.shape import to_shape
from sqlalchemy import select

from api.app import create_app
from api.database import Database, make_engine, make_sessionmaker
from api.settings import Settings
from grids import atlas, demo
from grids.rules.calendar import local_day
from grids.tables import Incident, Person, Placement, Post, Whistle

__all__ = ["AFTERNOON", "SIZES", "Town", "Visitor", "open_town", "report_on_the_map", "visiting"]

AFTERNOON = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)  # a Friday, half past two in the city
SIZES = {"phone": (390, 844), "desk": (1440, 900)}


@dataclass
class Town:
    """A running service with the made-up district, and a clock that the test moves."""

    address: str
    database: Database
    facts: demo.DemoFacts
    now: datetime = AFTERNOON
    signed_in: dict[tuple[str, str], Any] = field(default_factory=dict)  # login, language: cookies

    def clock(self) -> datetime:
        return self.now

    def inside(self, login: str) -> tuple[float, float]:
        """Return longitude and latitude of a point inside the area of one of the logins."""
        with self.database.readers() as session:
            code = session.scalar(select(Post.area_code).join(Person).where(Person.login == login)) or ""
            cell = atlas.grid(session, code, on=local_day(self.now))
            point = to_shape(cell.boundary).representative_point()
        return point.x, point.y

    def near_a_border(self) -> tuple[tuple[float, float], str]:
        """Return a point that may lie in several cells, and one that it may lie in though it is not there."""
        with self.database.readers() as session:
            inside = atlas.current(session, on=local_day(self.now))
            points = session.scalars(select(Incident.point).where(Incident.placement == Placement.BORDER))
            for point in map(to_shape, points):
                place = inside.place(point.x, point.y, "CGCS2000")
                if place.confirm:
                    return (point.x, point.y), next(c.code for c in place.candidates if c.code != place.code)
        raise LookupError("nothing in the demo lies near a border")

    def departments_whistle(self) -> str:
        """Return the number of the level-3 whistle of the case to look at first."""
        with self.database.readers() as session:
            query = select(Whistle.number).join(Incident, Incident.id == Whistle.incident_id)
            query = query.where(Incident.number == self.facts.barbecue, Whistle.level == 3)
            return str(session.scalars(query).one())


@contextmanager
def open_town(database_url: str, facts: demo.DemoFacts) -> Iterator[Town]:
    """Open a database with the smallest made-up district, as made at AFTERNOON, behind a server on a free port."""
    engine = make_engine(database_url, pool_size=10)
    database = Database(engine, make_sessionmaker(engine), make_sessionmaker(engine, readonly=True), None)
    opened = Town("", database, facts)
    app = create_app(
        Settings(session_idle_minutes=10**6, session_hours=10**4), clock=opened.clock, database=database
    )
    listening = socket.create_server(("127.0.0.1", 0))
    opened.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield opened
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        engine.dispose()


@dataclass
class Visitor:
    """One person at a browser; whatever the browser complains of is kept."""

    page: Any
    address: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Open one of our pages and wait until it and the maps on it are drawn."""
        self.page.goto(self.address + path, wait_until="load")
        for frame in self.page.frames[1:]:
            frame.wait_for_selector('[data-ready="yes"]', timeout=15_000)

    def click_area(self, leads_to: str) -> None:
        """Click the first area of the map on the page, as people do: they point at it, read its facts, and click.

        leads_to : the page that opens. A browser that is busy may lose what is done in a frame; then one tries again.
        """
        frame = self.page.frame_locator("iframe")
        area, facts = frame.locator("path.leaflet-interactive").first, frame.locator(".gw-tip")
        for last in (False, False, False, False, True):
            try:
                area.hover()
                facts.wait_for(timeout=3_000)
                area.click()
                self.page.wait_for_url(leads_to, timeout=3_000)
                break
            except playwright.sync_api.TimeoutError:
                if last:
                    raise
                self.page.mouse.move(1, 1)

    def act(self, act: str, within: str = "main", **fields: str) -> None:
        """Do one of the acts that a page offers: open its form where it is closed, fill it in, send it."""
        form = self.page.locator(f'{within} form[action$="/{act}"]').first
        form.wait_for(state="attached")  # a click on a link is over before its page is there
        self._unfold(form)
        for name, value in fields.items():
            typed = form.locator(f'[name="{name}"]').first
            self._unfold(typed)
            if typed.get_attribute("type") in ("checkbox", "radio"):
                form.locator(f'[name="{name}"][value="{value}"]').check()
            elif typed.evaluate("node => node.localName") == "select":
                typed.select_option(value)
            else:
                typed.fill(value)
        with self.page.expect_navigation():
            form.locator("button:not([type])").last.click()

    def _unfold(self, node: Any) -> None:
        """Open what a thing lies folded in, the outermost first."""
        folded = node.locator("xpath=ancestor::details[not(@open)]")
        while folded.count():
            folded.first.locator("summary").first.click()

    def turn_to(self, text: str) -> None:
        """Open the first thing in the inbox that has these words."""
        self.open("/inbox")
        self.page.locator("section a.case", has_text=text).first.click()
        self.page.wait_for_load_state()

    def says(self) -> str:
        """Return the text of the page."""
        return str(self.page.inner_text("main"))


@contextmanager
def visiting(
    chromium: Any,
    town: Town,
    login: str | None,
    *,
    size: str = "desk",
    language: str = "zh-CN",
    at: tuple[float, float] | None = None,
    accuracy: float = 9,
    scripts: bool = True,
) -> Iterator[Visitor]:
    """Sign in and look around; at the end the browser must have had nothing to complain of."""
    width, height = SIZES[size]
    place = {"longitude": at[0], "latitude": at[1], "accuracy": accuracy} if at else None
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        has_touch=size == "phone",
        geolocation=place,
        permissions=["geolocation"] if place else [],
        java_script_enabled=scripts,
    )
    context.set_default_timeout(15_000)
    visitor = Visitor(context.new_page(), town.address)
    note = visitor.complaints.append
    visitor.page.on("console", lambda line: note(line.text) if line.type in ("error", "warning") else None)
    visitor.page.on("pageerror", lambda error: note(f"page error: {error}"))
    visitor.page.on("response", lambda got: note(f"{got.status} {got.url}") if got.status >= 400 else None)
    ours = (town.address + "/", "data:", "blob:")
    visitor.page.on(
        "request", lambda call: None if call.url.startswith(ours) else note(f"foreign {call.url}")
    )
    waiting: list[Any] = []
    visitor.page.on("request", lambda call: waiting.append(call))
    for ended in ("requestfinished", "requestfailed"):
        visitor.page.on(ended, lambda call: waiting.remove(call) if call in waiting else None)
    try:
        if login is not None:
            _sign_in(visitor.page, town, login, language)
        yield visitor
        assert visitor.complaints == [], visitor.complaints
    except Exception as error:
        error.add_note(f"at {visitor.page.url}, waiting for {[call.url for call in waiting]}")
        error.add_note(f"the browser complained of {visitor.complaints}")
        raise
    finally:
        context.close()


def _sign_in(page: Any, town: Town, login: str, language: str) -> None:
    """Come in as one of the logins: through the form, and later as somebody who has stayed signed in."""
    if kept := town.signed_in.get((login, language)):
        page.context.add_cookies(kept)
        page.goto(f"{town.address}/home")
        if page.url == f"{town.address}/home":
            return
    page.goto(f"{town.address}/login?next=/home&lang={language}")
    page.fill("#login-login", login)
    page.fill("#login-password", demo.PASSWORD)
    page.click("main form button")
    page.wait_for_url("**/home")
    town.signed_in[login, language] = page.context.cookies()


def report_on_the_map(
    desk: Visitor,
    town: Town,
    *,
    text: str = "升平巷车库里有人无照经营烧烤，夜间扰民",
    category: str = "10-001",
    address: str = "升平巷车库",
) -> str:
    """Report by position and a click on the map, as the hotline desk does; return the path of the case."""
    desk.open("/report/new")
    desk.page.click("[data-locate]")
    desk.page.wait_for_selector("[data-located]")
    box = desk.page.locator("#pick").bounding_box()
    desk.page.mouse.click(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2 + 3)
    desk.page.wait_for_selector("[data-located]")
    worker = next(login.name for login in town.facts.logins if login.login == "worker")
    desk.page.locator("#place", has_text=worker).wait_for()
    desk.page.fill('[name="text"]', text)
    desk.page.select_option('[name="category"]', category)
    desk.page.fill('[name="address"]', address)
    desk.page.fill('[name="name"]', "王某")
    desk.page.fill('[name="phone"]', "13812345678")
    desk.page.click("main form > section:last-child button")
    desk.page.wait_for_url("**/incidents/*")
    return str(desk.page.url.removeprefix(town.address))
