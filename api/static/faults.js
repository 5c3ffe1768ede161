/* What is wrong with a grid, on the map and in a list beside it: two kinds of layers for map.js.
 *
 * Every text comes from somebody's file or from the words of the page, and reaches it by textContent only.
 *
 * {kind: "borders", id, weight, shapes: [outline]}
 * {kind: "faults", id, words, columns,
 *    kinds: [{text, fill, hatch, sign, errors, warnings}],
 *    rows: [{kind, error, at: [x, y] | null, shape: outline | null, codes, size, values}]}
 */
(function () {
  "use strict";

  const { CARD, card, degrees, el, marker, rings, svg } = window.gridwhistle.tools;
  const TOGETHER_PX = 24, MARK = 26, NEAR = 18;

  // The sign of each kind, drawn in a box of 24: what was meant, and what is wrong with it.
  const SIGNS = {
    ring: "M6 7L18 17V7L6 17Z",
    overlap: "M5 6.5H14V15.5H5ZM10 9.5H19V18.5H10Z",
    gap: "M4.5 7H9.5L8 12 9.5 17H4.5ZM14.5 7H19.5V17H14.5L16 12Z",
    outside: "M4.5 6.5H13V17.5H4.5ZM9 12H20M16.5 8.5 20 12 16.5 15.5",
    uncovered: "M5 6H19V18H5ZM5 12H19M12 12V18",
    empty: "M12 5.5A6.5 6.5 0 1 1 11.9 5.5ZM7.5 16.5 16.5 7.5",
    line: "M5 17 10 8 14 15 19 7",
    unreadable: "M6 6 18 18M18 6 6 18",
    dots: "M6 8H6.1M12 6H12.1M18 8H18.1M6 14H6.1M12 12H12.1M18 14H18.1M9 18H9.1M15 18H15.1",
    twice: "M6 7H12V17H6ZM14 7H19V17H14",
    number: "M9 6 8 18M16 6 15 18M5.5 10H19M5 14.5H18.5",
    branch: "M12 5.5V11M6 18V13H18V18M12 11V13M4.5 18H7.5M16.5 18H19.5",
    question: "M8.5 9A3.5 3.5 0 1 1 12 12.5V14.5M12 18V18.1",
    people: "M9 10.5A2.4 2.4 0 1 1 9.1 10.5M4.8 18C4.8 13 13.2 13 13.2 18M16 11A2 2 0 1 1 16.1 11M15.8 14C18 14 19.4 15.4 19.4 18",
    frame: "M12 5V19M5 12H19M7.5 7.5 16.5 16.5",
    text: "M6 7.5H18M6 12H18M6 16.5H13",
  };
  const ERROR = "M8.3 2H17.7L24 8.3V17.7L17.7 24H8.3L2 17.7V8.3Z"; // an octagon
  const WARNING = "M13 1.5 23.4 7.3V18.7L13 24.5 2.6 18.7V7.3Z"; // a hexagon

  function mark(kind, error, size) {
    const root = svg("svg", { viewBox: "0 0 26 26", width: size, height: size, "aria-hidden": "true" });
    const shape = error ? ERROR : WARNING;
    root.append(
      svg("path", { d: shape, fill: "#FFF", stroke: "#FFF", "stroke-width": 4, "stroke-linejoin": "round" }),
      svg("path", { d: shape, fill: error ? kind.fill : "#FFF", stroke: kind.fill, "stroke-width": 2, "stroke-linejoin": "round" }),
      svg("path", {
        d: SIGNS[kind.sign] || SIGNS.question, transform: "translate(3.4 3.4) scale(0.8)", fill: "none",
        stroke: error ? "#FFF" : kind.fill, "stroke-width": 2.3, "stroke-linecap": "round", "stroke-linejoin": "round",
      }),
    );
    return root;
  }

  function several(count, error) {
    const root = svg("svg", { viewBox: "0 0 34 34", width: 34, height: 34, "aria-hidden": "true" });
    root.append(
      svg("circle", { cx: 17, cy: 17, r: 16.5, fill: "#FFF" }),
      svg("circle", { cx: 17, cy: 17, r: 14, fill: error ? "#1F3A5F" : "#FFF", stroke: "#1F3A5F", "stroke-width": 2 }),
    );
    const text = svg("text", { x: 17, y: 21.4, "text-anchor": "middle", fill: error ? "#FFF" : "#1F3A5F", "font-size": count > 99 ? 10.5 : 12.5, "font-weight": 700 });
    text.textContent = count;
    root.append(text);
    return root;
  }

  /* ---- hatches ---------------------------------------------------------------------------------------- */

  const HATCHES = {
    cross: [["path", { d: "M0 0H8M0 0V8" }], 45],
    slant: [["path", { d: "M0 0V8" }], 45],
    upright: [["path", { d: "M2 0V8" }], 0],
    level: [["path", { d: "M0 2H8" }], 0],
  };

  function hatches(kinds) {
    const root = svg("svg", { width: 0, height: 0, class: "gw-patterns", "aria-hidden": "true" });
    kinds.forEach((kind, place) => {
      const [[name, attributes], turn] = HATCHES[kind.hatch] || HATCHES.slant;
      const hatch = svg("pattern", { id: "gw-fault-" + place, patternUnits: "userSpaceOnUse", width: 8, height: 8, patternTransform: "rotate(" + turn + ")" });
      hatch.append(
        svg("rect", { width: 8, height: 8, fill: "#FFF", "fill-opacity": 0.35 }),
        svg("rect", { width: 8, height: 8, fill: kind.fill, "fill-opacity": 0.18 }),
        svg(name, { ...attributes, fill: "none", stroke: kind.fill, "stroke-width": 3 }),
      );
      root.append(hatch);
    });
    return root;
  }

  function swatch(kind, place) {
    const root = svg("svg", { viewBox: "0 0 30 20", width: 30, height: 20, "aria-hidden": "true" });
    root.append(svg("rect", { x: 1.5, y: 1.5, width: 27, height: 17, fill: "url(#gw-fault-" + place + ")", stroke: kind.fill, "stroke-width": 2 }));
    return root;
  }

  /* ---- layers ----------------------------------------------------------------------------------------- */

  function borders(state, layer) {
    const look = { color: "#3E4A5C", weight: layer.weight, opacity: 0.85, fill: false, interactive: false, smoothFactor: 0.6 };
    return L.layerGroup(layer.shapes.map((shape) => L.polygon(rings(shape), look)));
  }

  function faults(state, layer) {
    const words = layer.words;
    const group = L.featureGroup(), shapes = L.featureGroup().addTo(group), marks = L.layerGroup().addTo(group);
    const shown = { kinds: new Set(layer.kinds.map((_, place) => place)), severity: "all" };
    const fits = (row) => shown.kinds.has(row.kind) && (shown.severity === "all" || row.error === (shown.severity === "errors"));
    const content = (row) => card(layer.kinds[row.kind].text + " · " + (row.error ? words.error : words.warning), layer.columns, row.values, []);

    document.body.prepend(hatches(layer.kinds));
    layer.rows.forEach((row) => {
      if (!row.shape) return;
      const kind = layer.kinds[row.kind];
      const look = { color: kind.fill, weight: 2.2, opacity: 1, fillColor: "url(#gw-fault-" + row.kind + ")", fillOpacity: 1, smoothFactor: 0.3, dashArray: row.error ? null : "6 4" };
      row.drawn = L.polygon(rings(row.shape), look).bindPopup(() => content(row), CARD);
    });

    // Marks that would lie on each other are one disc with their number; in full ink where one is an error.
    const place = () => {
      const map = state.map, around = map.getBounds().pad(0.2), taken = [];
      marks.clearLayers();
      layer.rows.forEach((row) => {
        if (!row.at || !fits(row)) return;
        const at = degrees(row.at);
        if (!around.contains(at)) return;
        const spot = map.project(at);
        const home = taken.find((one) => one.spot.distanceTo(spot) < TOGETHER_PX);
        if (home) home.rows.push(row);
        else taken.push({ spot, rows: [row] });
      });
      taken.forEach(({ rows }) => marks.addLayer(rows.length === 1 ? single(rows[0]) : together(rows)));
      state.names();
    };
    const single = (row) => marker(row.at, mark(layer.kinds[row.kind], row.error, MARK), [MARK, MARK], [MARK / 2, MARK / 2], row.error ? 1000 : 500)
      .bindPopup(() => content(row), CARD);
    const together = (rows) => {
      const disc = marker(rows[0].at, several(rows.length, rows.some((row) => row.error)), [34, 34], [17, 17], 1500);
      return disc.on("click", () => {
        const around = L.latLngBounds(rows.map((row) => degrees(row.at)));
        if (state.map.getZoom() >= NEAR || around.getNorthEast().distanceTo(around.getSouthWest()) < 1) listed(rows);
        else state.map.fitBounds(around, { padding: [80, 80], maxZoom: state.map.getMaxZoom() });
      });
    };
    const listed = (rows) => {
      const node = el("div", "gw-card");
      node.append(el("h2", "", words.here.replace("{count}", rows.length)));
      rows.slice(0, 30).forEach((row) => {
        const line = el("button", "gw-line");
        line.type = "button";
        line.append(mark(layer.kinds[row.kind], row.error, 22), el("span", "", layer.kinds[row.kind].text + " " + row.size));
        L.DomEvent.on(line, "click", (event) => { L.DomEvent.stop(event); node.replaceWith(content(row)); });
        node.append(line);
      });
      L.popup({ ...CARD, maxHeight: 280 }).setLatLng(degrees(rows[0].at)).setContent(node).openOn(state.map);
    };

    const fly = (row) => {
      const map = state.map, at = degrees(row.at);
      const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
      const popup = L.popup({ ...CARD, offset: [0, -8] }).setLatLng(at).setContent(content(row));
      map.closePopup();
      map.once("moveend", () => popup.openOn(map));
      if (row.drawn) map.flyToBounds(row.drawn.getBounds().extend(at), { padding: [70, 70], maxZoom: 19, animate: !still, duration: 0.9 });
      else map.flyTo(at, NEAR, { animate: !still, duration: 0.9 });
    };

    const list = panel(state, layer, shown, fly, (apply) => {
      shapes.clearLayers();
      layer.rows.forEach((row) => { if (row.drawn && fits(row)) shapes.addLayer(row.drawn); });
      apply(fits);
      if (state.map.hasLayer(group)) place();
    });
    state.map.on("moveend", place);
    group.on("add", place);
    state.marks.push(() => marks.getLayers().map((one) => [one.getLatLng(), 15, 15, 15]));
    list();
    return group;
  }

  /* ---- the list --------------------------------------------------------------------------------------- */

  function panel(state, layer, shown, fly, change) {
    const words = layer.words, frame = state.map.getContainer().parentElement;
    const body = frame.querySelector(".gw-legend-body");
    const notes = [...body.querySelectorAll(":scope > .gw-note")];
    if (!layer.rows.length) {
      body.append(el("p", "gw-clean", words.clean), ...notes);
      return () => {};
    }

    const count = el("p", "gw-count");
    count.setAttribute("role", "status");
    const empty = el("p", "gw-clean", words.none);
    const rows = layer.rows.map((row) => {
      const line = el("li");
      const node = el(row.at ? "button" : "div", "gw-fault");
      if (row.at) {
        node.type = "button";
        node.addEventListener("click", () => {
          body.querySelectorAll(".gw-fault[aria-current]").forEach((one) => one.removeAttribute("aria-current"));
          node.setAttribute("aria-current", "true");
          fly(row);
        });
      }
      const head = el("span", "gw-fault-head");
      head.append(el("b", "", layer.kinds[row.kind].text), el("span", "gw-size", row.size));
      const severity = row.error ? words.error : words.warning;
      const text = el("span", "gw-fault-text");
      text.append(head, el("span", "gw-codes", row.codes), el("span", "gw-why", severity + (row.at ? "" : " · " + words.nowhere)));
      node.append(mark(layer.kinds[row.kind], row.error, 26), text);
      line.append(node);
      return { row, line };
    });
    const list = el("ol", "gw-faults");
    list.append(...rows.map(({ line }) => line));

    const update = () => change((fits) => {
      let seen = 0;
      rows.forEach(({ row, line }) => { line.hidden = !fits(row); if (!line.hidden) seen += 1; });
      count.textContent = words.shown.replace("{shown}", seen).replace("{count}", rows.length);
      empty.hidden = seen > 0;
    });

    const section = el("section", "gw-list");
    section.append(el("h2", "", words.list), count, list, empty);
    body.append(severities(layer, shown, update), kinds(layer, shown, update), ...notes, section);
    return update;
  }

  function severities(layer, shown, update) {
    const words = layer.words, errors = layer.rows.filter((row) => row.error).length;
    const group = el("div", "gw-severity");
    group.setAttribute("role", "group");
    const buttons = [["all", words.all, layer.rows.length], ["errors", words.errors, errors], ["warnings", words.warnings, layer.rows.length - errors]].map(([key, text, number]) => {
      const node = el("button", "", text + " " + number);
      node.type = "button";
      node.addEventListener("click", () => {
        shown.severity = key;
        buttons.forEach((one) => one.setAttribute("aria-pressed", String(one === node)));
        update();
      });
      node.setAttribute("aria-pressed", String(key === "all"));
      return node;
    });
    group.append(...buttons);
    return group;
  }

  function kinds(layer, shown, update) {
    const words = layer.words, section = el("section", "gw-kinds");
    const boxes = [];
    const list = el("ul");
    layer.kinds.forEach((kind, place) => {
      const line = el("li"), label = el("label"), box = el("input");
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("change", () => {
        if (box.checked) shown.kinds.add(place);
        else shown.kinds.delete(place);
        update();
      });
      boxes.push(box);
      label.append(box, mark(kind, kind.errors > 0, 22), swatch(kind, place), el("span", "gw-kind", kind.text), el("span", "gw-number", kind.errors + kind.warnings));
      line.append(label);
      list.append(line);
    });
    const head = el("div", "gw-kinds-head");
    head.append(el("h2", "", words.kinds));
    [[words.everything, true], [words.nothing, false]].forEach(([text, yes]) => {
      const node = el("button", "gw-plain", text);
      node.type = "button";
      node.addEventListener("click", () => {
        boxes.forEach((box, place) => { box.checked = yes; if (yes) shown.kinds.add(place); else shown.kinds.delete(place); });
        update();
      });
      head.append(node);
    });
    section.append(head, list);
    return section;
  }

  Object.assign(window.gridwhistle.kinds, { borders, faults });
})();
