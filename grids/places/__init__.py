"""Recurrent problem points (反复问题点): found, confirmed, planned, treated, watched, cured or returned.

`acts` is what people do with a place, `finding` what the system finds and does by itself, `ledger` what readers
see, `photos` the pictures before and after, `campaigns` work on several places at once; `placecase` is the place
under lock, which all of them write through. Rain is in `grids.rain`.

- acts: `name, confirm, dismiss, plan, change_plan, finish`, all `(session, number, *, ..., by, now) -> Place`;
  `actions_on(actor, place, seat) -> tuple[str, ...]`
- photos: `add_photo(session, number, content, *, side, note, by, now) -> PlacePhoto`,
  `read_photo(session, scope, number, photo_id) -> PlacePhoto`
- ledger: `find_places(session, scope, filters, *, now, cursor, limit) -> PlacePage`,
  `show_place(session, actor, number, *, now) -> PlaceFile`
- finding: `look_at_report(session, incident, now)`, `find(session, district, now)`, `cure_due`, `remind`,
  `nightly(session, district, now)`, `nightly_due(session, now)`
- campaigns: `begin, end` and the readers `find_campaigns, show_campaign`
"""
