/* The map of an edition: its areas and their names, its faults, areas to choose and a line to draw.
 *
 * All text goes in as text. What is shown is kept for this tab, so that the map comes back after each operation as it
 * was left. A code begins with that of the area above it: choosing a community is choosing all codes that begin so.
 */
(function () {
  "use strict";

  const node = document.getElementById("edition-map");
  if (!node || !window.L) return;
  node.hidden = false;
  document.querySelectorAll("[data-with-map]").forEach((part) => { part.hidden = false; });

  const words = JSON.parse(node.dataset.words);
  const said = document.querySelector("[data-said]");
  const form = document.getElementById("operation");
  const field = (name) => form.elements.namedItem(name);
  const find = (mark) => document.querySelector(`[data-${mark}]`);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const say = (text) => { said.textContent = text; };
  const filled = (text, facts) => Object.entries(facts).reduce((all, [name, value]) => all.replace(`{${name}}`, () => value), text);

  const INK = "#1B1B1F", NAVY = "#1F3A5F", TEAL = "#0F6B78", BROWN = "#6B3F0E", RED = "#C1121F", AMBER = "#B26A00";
  const MOST_NAMES = 60, MOST_ICONS = 120, FULL_NAMES_FROM = 15;

  /* ---- what is remembered ------------------------------------------------------------------------------ */

  const KEY = `grid-${node.dataset.edition}`;
  const kept = (() => { try { return JSON.parse(sessionStorage.getItem(KEY)) || {}; } catch { return {}; } })();
  function keep(change) {
    Object.assign(kept, change);
    try { sessionStorage.setItem(KEY, JSON.stringify(kept)); } catch { /* a private window: nothing is remembered */ }
  }

  /* ---- the map ----------------------------------------------------------------------------------------- */

  const [west, south, east, north] = JSON.parse(node.dataset.bounds);
  const map = L.map(node, { attributionControl: false, zoomControl: false, zoomSnap: 0.25, preferCanvas: true, doubleClickZoom: !form });
  L.control.zoom({ zoomInTitle: node.dataset.zoomIn, zoomOutTitle: node.dataset.zoomOut }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  const anew = !kept.view;
  map.on("moveend", () => { const at = map.getCenter(); keep({ view: [at.lat, at.lng, map.getZoom()] }); });
  if (kept.view) map.setView(kept.view.slice(0, 2), kept.view[2]);
  else map.fitBounds([[south, west], [north, east]], { padding: [12, 12] });
  // one canvas a pane, and only the lowest is asked what lies under the mouse: the others would hide it
  for (const [pane, level] of [["cells", 410], ["upper", 420], ["marks", 430], ["names", 440]]) {
    map.createPane(pane).style.zIndex = level;
    if (pane !== "cells") map.getPane(pane).style.pointerEvents = "none";
  }

  const WEIGHTS = { building_group: [0.4, 0.8, 1.1], community: [0.8, 1.8, 2.6], town: [1.8, 2.8, 3.8], district: [3, 4, 5] };
  const COLOURS = { building_group: "#8E96A3", community: "#4B5563", town: INK, district: INK };
  const weight = (level) => WEIGHTS[level][map.getZoom() < 12.5 ? 0 : map.getZoom() < 14.5 ? 1 : 2];

  const areas = new Map(); // code -> feature
  const layers = new Map(); // code -> layer of an area of the lowest level
  const chosen = new Set();
  const ground = L.layerGroup().addTo(map);
  let uppers = null;

  const isChosen = (code) => [code, code.slice(0, 12), code.slice(0, 9)].some((one) => chosen.has(one));
  const look = (code) => isChosen(code)
    ? { color: NAVY, weight: 3, fillColor: "#C5D6E6", fillOpacity: 0.9 }
    : { color: COLOURS[areas.get(code).properties.level], weight: weight(areas.get(code).properties.level), fillColor: "#FFFFFF", fillOpacity: 0.95 };
  const lookAbove = (one) => ({ color: COLOURS[one.properties.level], weight: weight(one.properties.level), fill: false });

  function tip(feature) {
    const { name, households, population } = feature.properties;
    const facts = [feature.id];
    if (households !== null) facts.push(filled(words.households, { count: households }));
    if (population !== null) facts.push(filled(words.people, { count: population }));
    const text = document.createElement("div");
    text.append(Object.assign(document.createElement("b"), { textContent: name }), document.createElement("br"), facts.join(" · "));
    return text;
  }

  const ask = (query) => fetch(`/api/grids?limit=2000&${query}`, { headers: { Accept: "application/geo+json" } })
    .then((answer) => { if (!answer.ok) throw new Error(answer.statusText); return answer.json(); });
  const within = () => (part ? `&parent=${encodeURIComponent(part.value)}` : "");

  async function show() {
    say(words.loading);
    node.setAttribute("aria-busy", "true");
    let answer;
    try { answer = await ask(`edition=${node.dataset.edition}${within()}`); } catch { say(words.failed); return; } finally { node.removeAttribute("aria-busy"); }
    ground.clearLayers();
    layers.clear();
    areas.clear();
    answer.features.forEach((one) => areas.set(one.id, one));
    const lowest = Math.max(...[...areas.keys()].map((code) => code.length));
    L.geoJSON(answer.features.filter((one) => one.id.length === lowest), {
      pane: "cells",
      style: (one) => look(one.id),
      onEachFeature: (one, layer) => {
        layers.set(one.id, layer);
        layer.bindTooltip(() => tip(one), { sticky: true, className: "area-tip" });
        layer.on("click", () => press(one.id));
      },
    }).addTo(ground);
    uppers = L.geoJSON(answer.features.filter((one) => one.id.length < lowest), { pane: "upper", interactive: false, style: lookAbove }).addTo(ground);
    showChanged();
    showBefore();
    restyle();
    name();
    offerParents();
    tellChosen();
    say(answer.truncated ? words.cut : form && form.offsetParent ? words.choosing : find("fault") ? words.looking : "");
    node.dataset.ready = "yes";
  }

  function restyle() {
    layers.forEach((layer, code) => { layer.setStyle(look(code)); if (isChosen(code)) layer.bringToFront(); });
    if (uppers) uppers.setStyle(lookAbove);
  }
  map.on("zoomend", restyle);

  /* ---- a large grid, one town at a time ---------------------------------------------------------------- */

  const part = document.getElementById("part");
  if (part) {
    if (kept.part && [...part.options].some((one) => one.value === kept.part)) part.value = kept.part;
    part.addEventListener("change", async () => {
      keep({ part: part.value });
      await show();
      fitTown();
    });
  }
  function fitTown() {
    if (areas.has(part.value)) map.fitBounds(L.geoJSON(areas.get(part.value)).getBounds(), { padding: [12, 12] });
  }

  async function bringIn(codes) {
    const town = codes.map((code) => code.slice(0, 9)).find((code) => code.length === 9);
    if (!part || !town || part.value === town) return;
    part.value = town;
    keep({ part: town });
    await show();
  }

  /* ---- names ------------------------------------------------------------------------------------------- */

  const texts = L.layerGroup().addTo(map);
  let signs = []; // where the signs of faults stand, which names leave free
  const wide = (text) => Array.from(text).reduce((sum, letter) => sum + (letter > "\u2E80" ? 13.5 : 7.5), 6);

  // Largest areas first, each in its own middle, where it fits and covers no other name.
  function name() {
    texts.clearLayers();
    const sight = map.getBounds(), size = map.getSize();
    const taken = signs.map(({ x, y }) => ({ x, y, w: 22, h: 22 }));
    const ordered = [...areas.values()].sort((a, b) => a.id.length - b.id.length);
    for (const one of ordered) {
      if (texts.getLayers().length >= MOST_NAMES) break;
      if (one.id.length === 6) continue;
      one.box = one.box || L.geoJSON(one).getBounds();
      const low = map.latLngToContainerPoint(one.box.getSouthWest()), high = map.latLngToContainerPoint(one.box.getNorthEast());
      const across = high.x - low.x, tall = low.y - high.y;
      if (!sight.intersects(one.box) || (across > size.x && tall > size.y)) continue;
      const cell = layers.has(one.id);
      one.middle = one.middle || middle(one);
      if (!sight.contains(one.middle)) continue;
      const { name: full, short_name: short, households } = one.properties;
      const text = [map.getZoom() >= FULL_NAMES_FROM || !cell ? full : short, short].find((said) => wide(said) < across * (cell ? 0.85 : 0.95));
      if (!text || tall < 20) continue;
      const lines = cell && households !== null && tall > 56 && across > 64 ? [text, filled(words.households, { count: households })] : [text];
      const at = map.latLngToContainerPoint(one.middle), w = Math.max(...lines.map(wide)), h = 17 * lines.length;
      const free = (box) => taken.every((b) => Math.abs(b.x - box.x) >= (b.w + box.w) / 2 || Math.abs(b.y - box.y) >= (b.h + box.h) / 2);
      const aside = tall > 2 * h + 44 ? [0, h / 2 + 13, -h / 2 - 13] : [0];
      const box = aside.map((down) => ({ x: at.x, y: at.y + down, w, h })).find(free);
      if (!box) continue;
      taken.push(box);
      const label = document.createElement("div");
      label.append(...lines.map((line, row) => Object.assign(document.createElement("span"), { textContent: line, className: row ? "name-more" : "" })));
      const icon = L.divIcon({ className: `area-name${cell ? "" : " area-name-above"}`, html: label, iconSize: [w, h], iconAnchor: [w / 2, h / 2 + at.y - box.y] });
      texts.addLayer(L.marker(one.middle, { pane: "names", interactive: false, keyboard: false, icon }));
    }
  }

  // The middle of the widest stretch of the area at half its height: it lies inside, whatever the shape.
  function middle(feature) {
    const { type, coordinates } = feature.geometry;
    const rings = type === "Polygon" ? [coordinates] : coordinates;
    const [ring] = rings.reduce((a, b) => (b[0].length > a[0].length ? b : a));
    const ys = ring.map((at) => at[1]), y = (Math.min(...ys) + Math.max(...ys)) / 2 + 1e-9;
    const cuts = [];
    ring.forEach(([x1, y1], row) => {
      const [x2, y2] = ring[(row + 1) % ring.length];
      if ((y1 > y) !== (y2 > y)) cuts.push(x1 + (x2 - x1) * (y - y1) / (y2 - y1));
    });
    cuts.sort((a, b) => a - b);
    let best = [ring[0][0], ring[0][0]];
    for (let row = 0; row + 1 < cuts.length; row += 2) if (cuts[row + 1] - cuts[row] > best[1] - best[0]) best = [cuts[row], cuts[row + 1]];
    return L.latLng(y, (best[0] + best[1]) / 2);
  }

  /* ---- the last step, and the borders before ----------------------------------------------------------- */

  const changed = L.layerGroup().addTo(map);
  function showChanged() {
    changed.clearLayers();
    const codes = JSON.parse(node.dataset.changed).filter((code) => areas.has(code));
    codes.forEach((code) => L.geoJSON(areas.get(code), { pane: "marks", interactive: false, style: { color: TEAL, weight: 3, fill: false } }).addTo(changed));
  }

  const before = find("before");
  const old = L.layerGroup().addTo(map);
  async function showBefore() {
    old.clearLayers();
    if (!before || !before.checked) return;
    const answer = await ask(`edition=${before.dataset.before}${within()}`).catch(() => ({ features: [] }));
    if (!before.checked) return;
    const lowest = Math.max(0, ...answer.features.map((one) => one.id.length));
    const other = (one) => !areas.has(one.id) || JSON.stringify(areas.get(one.id).geometry) !== JSON.stringify(one.geometry);
    L.geoJSON(answer.features.filter((one) => one.id.length === lowest && other(one)), { pane: "marks", interactive: false, style: { color: BROWN, weight: 1.2 * weight("building_group") + 0.4, dashArray: "5 4", fill: false } }).addTo(old);
  }
  if (before) {
    const legend = find("before-legend");
    before.checked = Boolean(kept.before);
    legend.hidden = !before.checked;
    before.addEventListener("change", () => { keep({ before: before.checked }); legend.hidden = !before.checked; showBefore(); });
  }

  /* ---- faults ------------------------------------------------------------------------------------------ */

  const faults = [];
  const shapes = L.layerGroup().addTo(map);
  const icons = L.layerGroup().addTo(map);
  async function showFaults() {
    if (!find("fault")) return;
    const answer = await fetch(`/api/editions/${node.dataset.edition}/faults`);
    if (!answer.ok) return;
    (await answer.json()).features.forEach((one) => {
      faults.push(one);
      const style = one.properties.severity === "error"
        ? { color: RED, weight: 2.5, dashArray: "5 4", fillColor: RED, fillOpacity: 0.22 }
        : { color: AMBER, weight: 2, dashArray: "2 4", fillColor: AMBER, fillOpacity: 0.16 };
      if (one.geometry && one.geometry.type !== "Point") L.geoJSON(one.geometry, { pane: "marks", interactive: false, style }).addTo(shapes);
    });
    mark();
    name();
  }

  // A sign of one size for each fault that there is room for, errors before warnings; warnings only near by.
  function mark() {
    icons.clearLayers();
    signs = [];
    const sight = map.getBounds();
    for (const one of faults) {
      const { severity, lon, lat, codes } = one.properties;
      if (part && codes.length && !codes.some((code) => code.startsWith(part.value))) continue;
      if (lon === null || signs.length >= MOST_ICONS || !sight.contains([lat, lon])) continue;
      if (severity !== "error" && map.getZoom() < 13) continue;
      const at = map.latLngToContainerPoint([lat, lon]);
      if (signs.some((other) => other.distanceTo(at) < 20)) continue;
      signs.push(at);
      const sign = Object.assign(document.createElement("span"), { textContent: severity === "error" ? "×" : "!" });
      const icon = L.divIcon({ className: `fault-sign fault-sign-${severity === "error" ? "error" : "warning"}`, html: sign, iconSize: [20, 20] });
      icons.addLayer(L.marker([lat, lon], { pane: "names", interactive: false, keyboard: false, icon }));
    }
  }
  map.on("moveend", () => { mark(); name(); });

  function flash(spot) {
    const ring = L.circleMarker(spot, { pane: "marks", radius: 20, color: INK, weight: 4, fill: false, interactive: false });
    const times = still ? [[0, true], [2400, false]] : [[0, true], [350, false], [600, true], [950, false], [1200, true], [2600, false]];
    times.forEach(([wait, on]) => setTimeout(() => { if (on) ring.addTo(map); else ring.remove(); }, wait));
  }

  document.addEventListener("click", async (event) => {
    const row = event.target.closest("[data-fault]");
    if (!row) return;
    document.querySelectorAll(".fault[aria-current]").forEach((one) => one.removeAttribute("aria-current"));
    row.setAttribute("aria-current", "true");
    await whole;
    await bringIn(row.dataset.codes.split(" "));
    const spot = L.latLng(Number(row.dataset.lat), Number(row.dataset.lon));
    const one = faults[Number(row.dataset.fault)];
    const box = one && one.geometry ? L.geoJSON(one.geometry).getBounds() : null;
    const span = box ? Math.max(150, 1.6 * box.getNorthEast().distanceTo(box.getSouthWest())) : areaSpan(row.dataset.codes.split(" ")[0]);
    node.scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
    const goal = (box ? box.getCenter() : spot).toBounds(span);
    if (still) map.fitBounds(goal); else map.flyToBounds(goal, { duration: 0.7 });
    map.once("moveend", () => flash(spot));
  });

  function areaSpan(code) {
    if (!areas.has(code)) return 400;
    const box = L.geoJSON(areas.get(code)).getBounds();
    return 1.3 * box.getNorthEast().distanceTo(box.getSouthWest());
  }

  /* ---- choosing ---------------------------------------------------------------------------------------- */

  const level = document.getElementById("pick-level");
  const list = find("chosen");
  const pickParent = find("pick-parent");
  let drawing = false;
  let picking = false;

  function press(code) {
    if (!form || drawing || !level || getComputedStyle(form).visibility === "hidden" || !form.offsetParent) return;
    if (picking) {
      const one = [...chosen][0] || code;
      field("to_parent").value = code.slice(0, one.length - 3);
      setPicking(false);
      return;
    }
    const wanted = code.slice(0, Number(level.value));
    if (chosen.has(wanted)) chosen.delete(wanted); else chosen.add(wanted);
    field("codes").value = [...chosen].join(" ");
    showChosen();
  }

  function showChosen() {
    restyle();
    tellChosen();
  }

  function tellChosen() {
    if (!form) return;
    const known = [...chosen].map((code) => [code, areas.get(code)]);
    list.replaceChildren(...known.map(([code, one]) => {
      const row = document.createElement("li");
      row.append(one ? tip(one).textContent.replace(code, ` ${code}`) : code);
      return row;
    }));
    const sum = (size) => known.reduce((all, [, one]) => (one && one.properties[size] !== null ? all + one.properties[size] : NaN), 0);
    if (known.length > 1 && Number.isFinite(sum("households"))) {
      list.append(Object.assign(document.createElement("li"), { className: "chosen-sum", textContent: `= ${filled(words.households, { count: sum("households") })}${Number.isFinite(sum("population")) ? ` · ${filled(words.people, { count: sum("population") })}` : ""}` }));
    }
    const [only] = known.length === 1 ? known : [];
    for (const size of ["households", "population"]) field(size).placeholder = only && only[1] && only[1].properties[size] !== null ? only[1].properties[size] : "";
    field("name").placeholder = only && only[1] ? only[1].properties.name : "";
  }

  function readCodes() {
    chosen.clear();
    for (const code of field("codes").value.split(/[ ,]+/)) if (code) chosen.add(code);
  }

  function setPicking(on) {
    picking = on;
    pickParent.setAttribute("aria-pressed", String(on));
    say(on ? words.parent : words.choosing);
  }

  function offerParents() {
    const offered = document.getElementById("parents");
    if (!offered) return;
    offered.replaceChildren(...[...areas.values()].filter((one) => one.id.length === 9 || one.id.length === 12)
      .map((one) => Object.assign(document.createElement("option"), { value: one.id, label: one.properties.name })));
  }

  /* ---- the line ---------------------------------------------------------------------------------------- */

  const line = L.polyline([], { pane: "marks", color: INK, weight: 3, dashArray: "7 5", interactive: false }).addTo(map);
  const knots = L.layerGroup().addTo(map);
  const tools = find("line-tools");
  const draw = find("draw");
  const points = () => line.getLatLngs();
  const round = (value) => Number(value.toFixed(8));

  function setPoints(spots) {
    line.setLatLngs(spots);
    knots.clearLayers();
    points().forEach((at) => L.circleMarker(at, { pane: "marks", radius: 4.5, color: INK, weight: 2, fillColor: "#FFFFFF", fillOpacity: 1, interactive: false }).addTo(knots));
    field("line").value = points().length > 1 ? JSON.stringify(points().map((at) => [round(at.lng), round(at.lat)])) : "";
    if (points().length) say(filled(words.drawn, { count: points().length }));
  }

  function setDrawing(on) {
    if (drawing === on) return;
    drawing = on;
    draw.setAttribute("aria-pressed", String(on));
    node.classList.toggle("drawing", on);
    if (on || !points().length) say(on ? words.drawing : words.choosing);
    if (on) node.focus({ preventScroll: true });
  }

  function fit() {
    const kind = field("kind").value;
    form.querySelectorAll("[data-for]").forEach((one) => { one.hidden = !one.dataset.for.split(" ").includes(kind); });
    const lined = kind === "split" || kind === "move_edge";
    tools.hidden = !lined;
    if (!lined) { setDrawing(false); setPoints([]); }
    if (kind !== "reassign") setPicking(false);
  }

  if (form) {
    readCodes();
    try { setPoints(JSON.parse(field("line").value || "[]").map(([x, y]) => [y, x])); } catch { /* typed by hand, and not a line yet */ }
    const lately = form.querySelector(`[name=kind][value="${CSS.escape(kept.kind || "")}"]`);
    if (lately && !field("codes").value) lately.checked = true; // a form that came back keeps what was sent
    fit();
    form.addEventListener("change", (event) => { if (event.target.name === "kind") { keep({ kind: field("kind").value }); fit(); } });
    field("codes").addEventListener("input", () => { readCodes(); showChosen(); });
    pickParent.hidden = false;
    pickParent.addEventListener("click", () => setPicking(!picking));
    if (kept.level && [...level.options].some((one) => one.value === kept.level)) level.value = kept.level;
    level.addEventListener("change", () => keep({ level: level.value }));
    find("clear").addEventListener("click", () => { field("codes").value = ""; readCodes(); showChosen(); say(words.choosing); });

    draw.addEventListener("click", () => setDrawing(!drawing));
    find("wipe").addEventListener("click", () => { setPoints([]); say(drawing ? words.drawing : words.choosing); });
    find("back").addEventListener("click", () => setPoints(points().slice(0, -1)));
    find("centre").addEventListener("click", () => setPoints([...points(), map.getCenter()]));
    map.on("click", (event) => { if (drawing) setPoints([...points(), event.latlng]); });
    // the two clicks of a double click have set two points in one place
    map.on("dblclick", () => { if (drawing) { setPoints(points().slice(0, -1)); setDrawing(false); } });
    node.addEventListener("keydown", (event) => {
      if (!drawing || event.target !== node) return;
      if (event.key === "Enter" || event.key === "Escape") setDrawing(false);
      else if (event.key === "Backspace") setPoints(points().slice(0, -1));
      else return;
      event.preventDefault();
    });
  }

  const whole = show().then(() => { if (part && anew) fitTown(); return showFaults(); });
})();
