/* Draws the maps of the maps package. Plain script, no build step; Leaflet 1.9 is the only thing it needs.
 *
 *   gridwhistle.draw(map, id)   draw the JSON of <script type="application/json" id=...> on a Leaflet map
 *
 * Every text of that JSON was written by somebody: it reaches the page by textContent or setAttribute only,
 * never as HTML, and an address is followed only when it is a path on our own host.
 *
 * drawing  {title, subtitle, notes, view, limits, language, words, credits, tiles, layers, legend}
 *          view, limits: [west, south, east, north] in degrees
 *          layout: "listed" for a list beside the map (faults.js)
 * layers   {kind: "cells", id, look, fills, columns, links: [{href, text}], drill: address with {code} | null, rows:
 *             [[code, name, short name | 0, value text | 0, outline, [x, y, r], step, flags, [values]]]}
 *             flags: 1 small sample, 2 hot, 4 cold. look: "clear" shows what lies below
 *          {kind: "outline", id, look, outline}   look: own, hot or cold
 *          {kind: "image", id, image: a PNG as data:, box: [west, south, east, north]}
 *          {kind: "signs", id, signs: {name: strokes in a box of 24}, spots: [[x, y, name, 1 hot | 0 cold]]}
 *          {kind: "incidents", id, urgencies, columns, rows: [{at, urgency, badge, title, values, href}]}
 *          {kind: "recurrences", id, columns, rows: [{at, icon, times, title, values, href, open: words of the link | null}]}
 *          {kind: "dots", id, dots: [[x, y, radius in tenths of a pixel]]}
 *          {kind: "lines", id, lines: [[[x, y], ...]]}
 *          hidden: not shown before somebody asks for it
 * outline  polygons of rings of [x, y, dx, dy, ...] in millionths of a degree
 * legend   [{title, layer | null, items: [{swatch, text, ...}], note, choices}]
 *          swatch: fill, nodata, dots, hot, cold, sign (with sign, hot) and others
 *          choices: {columns: [{title, note, layers}], rows: [[name, text of each column]]}: one column is shown
 * weeks    what weeks.js shows below the map
 */
(function () {
  "use strict";

  const INK = "#1B1B1F", NO_DATA = "#8A8A93", DISC = "#1F3A5F", RING = "#0F6B78";
  const SMALL = 1;
  const SVG = "http://www.w3.org/2000/svg";
  const CARD = { maxWidth: 280, minWidth: 180, autoPanPadding: [12, 12] };
  const CLUSTER_PX = 46, MOST_LABELS = 60, FULL_NAMES_FROM = 15;
  const LEAST_SIGN_PX = 14; // below that a sign of its pattern cannot be read
  const SPECK_PX = 5; // the radius of a cell below which it is a speck
  const MANY = 2000; // cells: more of them are drawn on one canvas, for as many elements would stop the page
  const LOOKS = {
    area: { color: "#6E6876", weight: 0.7, opacity: 0.85, fillOpacity: 0.94 },
    plain: { color: "#8E96A3", weight: 0.8, opacity: 0.9, fillColor: "#FFFFFF", fillOpacity: 0.95 },
    own: { color: "#5B6B82", weight: 1, opacity: 0.9, fillColor: "#FFFFFF", fillOpacity: 1 },
    plan: { color: DISC, weight: 1.8, opacity: 0.9, fillColor: "#FFFFFF", fillOpacity: 0.95 },
    faded: { color: "#A3ABB8", weight: 1, opacity: 0.8, fillColor: "#F4F5F7", fillOpacity: 0.75 },
    clear: { color: "#6E6876", weight: 0.8, opacity: 0.75, fillColor: "#FFFFFF", fillOpacity: 0 },
  };
  const SHAPES = {
    triangle: "M16 2.5 30 28.5H2Z",
    diamond: "M16 1.5 30.5 16 16 30.5 1.5 16Z",
    square: "M4 4H28V28H4Z",
    circle: "M16 3A13 13 0 1 1 15.99 3Z",
    bar: "M1 7.5H31V24.5H1Z",
  };
  const ICONS = {
    drop: "M16 7.5C19.5 12 22 15 22 18.6A6 6 0 0 1 10 18.6C10 15 12.5 12 16 7.5Z",
    parking: "M11.5 8H17.6A5.2 5.2 0 0 1 17.6 18.4H14.7V24H11.5ZM14.7 11V15.4H17.3A2.2 2.2 0 0 0 17.3 11Z",
    bin: "M10.5 11.5H21.5L20.4 24H11.6ZM9.5 8.6H13.4L14.2 7.2H17.8L18.6 8.6H22.5V10.2H9.5Z",
    loop: "M16 8.2A7.8 7.8 0 1 0 23.8 16H21A5 5 0 1 1 16 11V14.2L21.6 9.6 16 5Z",
  };
  const BADGES = {
    waiting: [["circle", { cx: 6, cy: 6, r: 5, fill: "#FFF", stroke: INK, "stroke-width": 1.6 }]],
    working: [
      ["circle", { cx: 6, cy: 6, r: 5, fill: "#FFF", stroke: INK, "stroke-width": 1.6 }],
      ["path", { d: "M6 1A5 5 0 0 1 6 11Z", fill: INK }],
    ],
    done: [
      ["circle", { cx: 6, cy: 6, r: 5, fill: "#FFF", stroke: "#626C7A", "stroke-width": 1.2 }],
      ["path", { d: "M3.4 6.2 5.3 8.1 8.7 4.2", fill: "none", stroke: "#626C7A", "stroke-width": 1.7 }],
    ],
    late: [
      ["circle", { cx: 6, cy: 6, r: 5.4, fill: INK, stroke: "#FFF", "stroke-width": 1 }],
      ["path", { d: "M6 3V6.8M6 8.3V9.6", stroke: "#FFF", "stroke-width": 1.7 }],
    ],
  };

  /* ---- building elements ------------------------------------------------------------------------------ */

  function el(name, className, text) {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined && text !== null) node.textContent = text;
    return node;
  }

  function svg(name, attributes) {
    const node = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    return node;
  }

  // Words with {named} places, filled as text.
  const filled = (text, facts) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? facts[name] : whole));

  function link(href, text) {
    if (!/^\/(?![/\\])[^\x00-\x20\x7f\\]*$/.test(href || "")) return null;
    const node = el("a", "gw-link", text);
    node.href = href;
    node.target = "_top";
    return node;
  }

  function facts(columns, values) {
    const list = el("dl", "gw-facts");
    columns.forEach((column, place) => {
      const value = values[place];
      if (value === null || value === undefined || value === "") return;
      list.append(el("dt", "", column), el("dd", "", value));
    });
    return list;
  }

  function card(title, columns, values, links) {
    const node = el("div", "gw-card");
    node.append(el("h2", "", title), facts(columns, values));
    const known = links.map((one) => link(one.href, one.text)).filter(Boolean);
    if (known.length) {
      const row = el("p", "gw-links");
      row.append(...known);
      node.append(row);
    }
    return node;
  }

  // One line of a list inside a popup: it puts another card in the place of the list.
  function step(title, mark, go) {
    const node = el("button", "gw-line");
    node.type = "button";
    node.append(...(mark ? [mark] : []), el("span", "", title));
    L.DomEvent.on(node, "click", (event) => { L.DomEvent.stop(event); go(); });
    return node;
  }

  /* ---- geometry --------------------------------------------------------------------------------------- */

  const degrees = (spot) => L.latLng(spot[1] / 1e6, spot[0] / 1e6);

  function rings(outline) {
    return outline.map((polygon) => polygon.map((flat) => {
      const ring = [];
      let x = 0, y = 0;
      for (let i = 0; i < flat.length; i += 2) {
        x += flat[i];
        y += flat[i + 1];
        ring.push([y / 1e6, x / 1e6]);
      }
      return ring;
    }));
  }

  const box = (edges) => L.latLngBounds([edges[1], edges[0]], [edges[3], edges[2]]);

  /* ---- marks: hatch, dots, shapes --------------------------------------------------------------------- */

  const isDark = (fill) => [1, 3, 5].reduce((sum, at, part) => sum + parseInt(fill.slice(at, at + 2), 16) * [0.3, 0.59, 0.11][part], 0) < 130;
  const pattern = (name) => "url(#gw-" + name + ")";

  // Patterns live in one hidden drawing: every fill, on the map and in the legend, refers to them.
  function patterns(fills) {
    const root = svg("svg", { width: 0, height: 0, class: "gw-patterns", "aria-hidden": "true" });
    const hatch = svg("pattern", { id: "gw-nodata", patternUnits: "userSpaceOnUse", width: 7, height: 7, patternTransform: "rotate(45)" });
    hatch.append(svg("rect", { width: 7, height: 7, fill: "#FFFFFF" }), svg("rect", { width: 2.4, height: 7, fill: NO_DATA }));
    root.append(hatch);
    fills.forEach((fill) => {
      const dots = svg("pattern", { id: "gw-dots-" + fill.slice(1), patternUnits: "userSpaceOnUse", width: 8, height: 8 });
      const dark = isDark(fill);
      dots.append(svg("rect", { width: 8, height: 8, fill }));
      [[2, 2], [6, 6]].forEach(([cx, cy]) => dots.append(svg("circle", { cx, cy, r: 1, fill: dark ? "#FFFFFF" : INK, "fill-opacity": dark ? 0.75 : 0.5 })));
      root.append(dots);
    });
    return root;
  }

  function cellFill(fills, step, flags) {
    if (step < 0) return pattern("nodata");
    return flags & SMALL ? pattern("dots-" + fills[step].slice(1)) : fills[step];
  }

  // The same fill for a canvas, which knows no patterns of the page.
  const inks = new Map();
  function inkFill(fills, step, flags) {
    if (step >= 0 && !(flags & SMALL)) return fills[step];
    const ground = step < 0 ? "#FFFFFF" : fills[step];
    if (!inks.has(ground + step)) {
      const tile = document.createElement("canvas"), pen = tile.getContext("2d"), size = step < 0 ? 10 : 8;
      tile.width = tile.height = size;
      pen.fillStyle = ground;
      pen.fillRect(0, 0, size, size);
      if (step < 0) {
        pen.strokeStyle = NO_DATA;
        pen.lineWidth = 2.4;
        [-size, 0, size].forEach((x) => { pen.moveTo(x - 2, size + 2); pen.lineTo(x + size + 2, -2); });
        pen.stroke();
      } else {
        pen.globalAlpha = isDark(ground) ? 0.75 : 0.5;
        pen.fillStyle = isDark(ground) ? "#FFFFFF" : INK;
        [2, 6].forEach((at) => { pen.beginPath(); pen.arc(at, at, 1, 0, 2 * Math.PI); pen.fill(); });
      }
      inks.set(ground + step, pen.createPattern(tile, "repeat"));
    }
    return inks.get(ground + step);
  }

  function badge(name, x, y) {
    const group = svg("g", { transform: "translate(" + x + " " + y + ") scale(1.25)" });
    BADGES[name].forEach(([shape, attributes]) => group.append(svg(shape, attributes)));
    return group;
  }

  function symbol(urgency, badgeName, size) {
    const root = svg("svg", { viewBox: "-3 -3 40 40", width: size, height: size, "aria-hidden": "true" });
    const path = SHAPES[urgency.shape];
    root.append(
      svg("path", { d: path, fill: "none", stroke: "#FFF", "stroke-width": 5.5, "stroke-linejoin": "round" }),
      svg("path", { d: path, fill: urgency.fill, stroke: INK, "stroke-width": 1.4, "stroke-linejoin": "round" }),
    );
    const letter = svg("text", {
      x: 16, y: urgency.shape === "triangle" ? 25.2 : 21.4, "text-anchor": "middle", fill: urgency.ink,
      "font-size": urgency.shape === "triangle" ? 13 : 15, "font-weight": 700,
    });
    letter.textContent = urgency.letter;
    root.append(letter);
    if (badgeName) root.append(badge(badgeName, 22, 22));
    return root;
  }

  function bubble(icon, text) {
    const root = svg("svg", { viewBox: "0 0 58 42", width: 58, height: 42, "aria-hidden": "true" });
    const tail = "M16 41 11 29.5H21Z", ring = { cx: 16, cy: 16, r: 13.5 };
    root.append(
      svg("path", { d: tail, fill: RING, stroke: "#FFF", "stroke-width": 1.5 }),
      svg("circle", { ...ring, r: 15.5, fill: "#FFF" }),
      svg("circle", { ...ring, fill: "#FFF", stroke: RING, "stroke-width": 3.2 }),
      svg("path", { d: ICONS[icon] || ICONS.loop, fill: RING, "fill-rule": "evenodd" }),
    );
    if (text) {
      const width = 4 + 7.4 * text.length;
      root.append(svg("rect", { x: 26, y: 1, width: width + 2, height: 18, rx: 9, fill: RING, stroke: "#FFF", "stroke-width": 1.5 }));
      const label = svg("text", { x: 27 + width / 2, y: 14.4, "text-anchor": "middle", fill: "#FFF", "font-size": 12.5, "font-weight": 700 });
      label.textContent = text;
      root.append(label);
    }
    return root;
  }

  function sign(strokes, hot, size) {
    const root = svg("svg", { viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true" });
    root.append(
      svg("circle", { cx: 12, cy: 12, r: 11.4, fill: "#FFF" }),
      svg("circle", { cx: 12, cy: 12, r: 10.2, fill: hot ? INK : "#FFF", stroke: INK, "stroke-width": 1.6 }),
      svg("path", { d: strokes, transform: "translate(2.4 2.4) scale(0.8)", fill: "none", stroke: hot ? "#FFF" : INK, "stroke-width": 2.6, "stroke-linecap": "round", "stroke-linejoin": "round" }),
    );
    return root;
  }

  function ring() {
    const root = svg("svg", { viewBox: "0 0 24 24", width: 24, height: 24, "aria-hidden": "true" });
    root.append(
      svg("circle", { cx: 12, cy: 12, r: 7.5, fill: "#FFF" }),
      svg("circle", { cx: 12, cy: 12, r: 5, fill: "#FFF", stroke: RING, "stroke-width": 3 }),
    );
    return root;
  }

  function disc(count, letter) {
    const root = svg("svg", { viewBox: "0 0 44 44", width: 44, height: 44, "aria-hidden": "true" });
    root.append(
      svg("circle", { cx: 22, cy: 22, r: 20.5, fill: "#FFF" }),
      svg("circle", { cx: 22, cy: 22, r: 18.5, fill: DISC, stroke: INK, "stroke-width": 1 }),
    );
    const text = svg("text", { x: 22, y: 26.6, "text-anchor": "middle", fill: "#FFF", "font-size": count > 99 ? 11 : 13, "font-weight": 700 });
    text.textContent = count + "·" + letter;
    root.append(text);
    return root;
  }

  const marker = (at, node, size, anchor, above) => L.marker(degrees(at), {
    icon: L.divIcon({ html: node, className: "gw-mark", iconSize: size, iconAnchor: anchor, popupAnchor: [0, -anchor[1] + 4] }),
    keyboard: false, zIndexOffset: above,
  });

  /* ---- layers ----------------------------------------------------------------------------------------- */

  // How a cell of a step looks; those of dark steps have a light border.
  function painted(fills, step, flags, canvas) {
    const dark = step >= 0 && isDark(fills[step]);
    return { fillColor: (canvas ? inkFill : cellFill)(fills, step, flags), color: dark ? "#FFFFFF" : LOOKS.area.color, opacity: dark ? 0.6 : LOOKS.area.opacity };
  }

  function cells(state, layer) {
    const group = L.featureGroup();
    const canvas = layer.rows.length > MANY ? { renderer: L.canvas({ padding: 0.2 }) } : null;
    if (layer.look === "area") state.canvas = Boolean(canvas);
    layer.rows.forEach((row) => {
      const look = { ...LOOKS[layer.look], ...(layer.look === "area" ? painted(layer.fills, row[6], row[7], canvas) : {}) };
      const shape = L.polygon(rings(row[4]), { ...look, smoothFactor: 0.6, ...canvas });
      shape.gwRow = row;
      group.addLayer(shape);
      const label = { row, group, quiet: layer.look === "faded", first: layer.look === "own", value: row[3] };
      state.labels.push(label);
      if (layer.look === "area") state.cells.push({ row, shape, label });
    });
    if (canvas) {
      // borders of cells that are specks would be all that one sees of them
      const radii = layer.rows.map((row) => row[5][2]).sort((a, b) => a - b), middle = degrees(layer.rows[0][5]);
      const edge = L.latLng(middle.lat + radii[Math.floor(radii.length / 2)] / 1e6, middle.lng);
      state.placers.push(() => {
        const specks = state.map.project(middle).y - state.map.project(edge).y < SPECK_PX;
        if (specks === state.specks) return;
        state.specks = specks;
        group.setStyle({ weight: specks ? 0.25 : LOOKS[layer.look].weight });
      });
    }
    if (!layer.columns.length && !layer.links.length) return group;
    const columns = layer.columns;
    state.hover(group, (shape) => card(shape.gwRow[1], columns, shape.gwRow[8], []));
    // who points has read the facts already: a click leads a level down; who taps reads them first
    const onward = (shape) => link(layer.drill.replace("{code}", encodeURIComponent(shape.gwRow[0])), "");
    if (layer.drill && state.points) {
      group.on("click", (event) => {
        const node = onward(event.propagatedFrom || event.layer);
        if (node) node.click();
      });
      return group;
    }
    group.bindPopup((shape) => {
      const code = encodeURIComponent(shape.gwRow[0]);
      const links = layer.links.map((one) => ({ href: one.href.replace("{code}", code), text: one.text }));
      return card(shape.gwRow[1], columns, shape.gwRow[8], links);
    }, CARD);
    return group;
  }

  function outline(state, layer) {
    const lines = layer.look === "hot" || layer.look === "cold"
      ? [{ color: "#FFFFFF", weight: 5.5, opacity: 0.95 }, { color: INK, weight: 2.6, opacity: 1, dashArray: layer.look === "cold" ? "6 5" : null, lineCap: "butt" }]
      : [{ color: "#FFFFFF", weight: 8, opacity: 0.9 }, { color: DISC, weight: 4, opacity: 1 }];
    const shape = rings(layer.outline);
    const drawn = lines.map((line) => L.polygon(shape, { ...line, fill: false, interactive: false, smoothFactor: 0.6 }));
    state.placers.push(() => drawn.forEach((one, place) => {
      const weight = lines[place].weight * (state.specks ? 0.5 : 1);
      if (one.options.weight !== weight) one.setStyle({ weight });
    }));
    return L.layerGroup(drawn);
  }

  // Small marks that only lie there, above the cells: one drawing on a canvas, which thousands of them do not slow.
  function quietPane(state) {
    const name = "gwQuiet";
    if (!state.map.getPane(name)) {
      const pane = state.map.createPane(name);
      pane.style.zIndex = 450;
      pane.style.pointerEvents = "none";
      state.quiet = L.canvas({ pane: name });
    }
    return { pane: name, renderer: state.quiet, interactive: false };
  }

  // A surface lies below the cells, whose bounds show on it.
  function image(state, layer) {
    if (!state.map.getPane("gwSurface")) state.map.createPane("gwSurface").style.zIndex = 380;
    return L.imageOverlay(layer.image, box(layer.box), { pane: "gwSurface", opacity: 0.92, alt: "" });
  }

  // The same sign as `sign`, as a picture for a canvas, sharp on any screen; one too small to be read is a disc.
  const stamped = new Map();
  function stamp(strokes, hot, size) {
    const key = [strokes, hot, size].join();
    if (!stamped.has(key)) {
      const tile = document.createElement("canvas"), pen = tile.getContext("2d"), scale = 2 * size / 24;
      tile.width = tile.height = 2 * size;
      pen.scale(scale, scale);
      const disc = (radius, fill) => { pen.beginPath(); pen.arc(12, 12, radius, 0, 2 * Math.PI); pen.fillStyle = fill; pen.fill(); };
      const pixel = 24 / size, whole = size >= LEAST_SIGN_PX; // a small disc keeps a light edge that is seen on dark areas
      disc(whole ? 11.4 : 12, "#FFF");
      disc(whole ? 10.2 : 12 - 1.3 * pixel, hot ? INK : "#FFF");
      pen.strokeStyle = INK;
      pen.lineWidth = whole ? 1.6 : pixel;
      pen.stroke();
      if (whole) {
        pen.translate(2.4, 2.4);
        pen.scale(0.8, 0.8);
        pen.strokeStyle = hot ? "#FFF" : INK;
        pen.lineWidth = 2.6;
        pen.lineCap = pen.lineJoin = "round";
        pen.stroke(new Path2D(strokes));
      }
      stamped.set(key, tile);
    }
    return stamped.get(key);
  }

  // Signs are one drawing on a canvas, and as large as the areas that they stand on leave room for.
  function signs(state, layer) {
    const own = quietPane(state);
    const Sign = L.CircleMarker.extend({
      _updatePath() {
        const pen = this._renderer._drawing && !this._empty() && this._renderer._ctx;
        if (!pen) return;
        const { strokes, hot } = this.options, half = this._radius, { x, y } = this._point;
        pen.drawImage(stamp(strokes, hot, 2 * half), x - half, y - half, 2 * half, 2 * half);
      },
    });
    const icons = layer.spots.map(([x, y, name, hot]) => new Sign(degrees([x, y]), { ...own, strokes: layer.signs[name], hot, radius: 11 }));
    const group = L.layerGroup(icons);
    const radii = state.cells.map(({ row }) => row[5][2]).sort((a, b) => a - b), middle = icons.length && icons[0].getLatLng();
    state.placers.push(() => {
      if (!icons.length || !radii.length) return;
      const edge = L.latLng(middle.lat + radii[Math.floor(radii.length / 2)] / 1e6, middle.lng);
      const room = Math.floor(state.map.project(middle).y - state.map.project(edge).y);
      const radius = Math.max(3, Math.min(11, room));
      if (icons[0].getRadius() !== radius) icons.forEach((icon) => icon.setRadius(radius));
    });
    state.marks.push(() => (state.map.hasLayer(group) ? icons.map((icon) => [icon.getLatLng(), ...Array(3).fill(icon.getRadius() + 1)]) : []));
    return group;
  }

  function dots(state, layer) {
    const own = quietPane(state);
    return L.layerGroup(layer.dots.map(([x, y, radius]) => L.circleMarker(degrees([x, y]), {
      ...own, radius: radius / 10, stroke: false, fillColor: INK, fillOpacity: 0.42,
    })));
  }

  function lines(state, layer) {
    const own = quietPane(state);
    const stroke = { color: RING, weight: 4, opacity: 0.85, dashArray: "10 8", lineCap: "butt" };
    return L.layerGroup(layer.lines.map((line) => L.polyline(line.map(degrees), { ...own, ...stroke })));
  }

  // Cases that would lie on each other become one disc with their number and the worst urgency among them. The
  // disc stands where its worst case is, or the next one that no recurrent place covers.
  function incidents(state, layer) {
    const group = L.layerGroup();
    const rows = [...layer.rows].sort((a, b) => a.urgency - b.urgency);
    const one = (row) => {
      const icon = marker(row.at, symbol(layer.urgencies[row.urgency], row.badge, 38), [38, 38], [18, 18], 1000 - 100 * row.urgency);
      return icon.bindPopup(() => content(row), CARD);
    };
    const content = (row) => card(row.title, layer.columns, row.values, [{ href: row.href, text: state.words.open }]);
    const covered = (row) => {
      const at = state.map.project(degrees(row.at));
      return state.bubbles.some((b) => at.x > b[0] - 14 && at.x < b[2] + 14 && at.y > b[1] - 14 && at.y < b[3] - 4);
    };
    const several = ({ spot, members }) => {
      const icon = marker(spot, disc(members.length, layer.urgencies[members[0].urgency].letter), [44, 44], [22, 22], 1500);
      icon.on("click", () => {
        const around = L.latLngBounds(members.map((row) => degrees(row.at)));
        const apart = state.map.getZoom() < state.map.getMaxZoom() && around.getNorthEast().distanceTo(around.getSouthWest()) > 2;
        if (apart) state.map.fitBounds(around, { padding: [60, 60], maxZoom: state.map.getMaxZoom() });
        else L.popup({ maxWidth: 280, maxHeight: 260, offset: [0, -16] }).setLatLng(degrees(spot)).setContent(listed(members)).openOn(state.map);
      });
      return icon;
    };
    const listed = (members) => {
      const node = el("div", "gw-card");
      node.append(el("h2", "", state.words.cases_here));
      members.forEach((row) => node.append(step(row.title, symbol(layer.urgencies[row.urgency], row.badge, 28), () => node.replaceWith(content(row)))));
      return node;
    };
    const place = () => {
      group.clearLayers();
      const near = new Map();
      rows.forEach((row) => {
        const at = state.map.project(degrees(row.at));
        const x = Math.floor(at.x / CLUSTER_PX), y = Math.floor(at.y / CLUSTER_PX);
        for (let i = -1; i <= 1; i += 1) {
          for (let j = -1; j <= 1; j += 1) {
            const home = (near.get((x + i) + "," + (y + j)) || []).find((cluster) => cluster.at.distanceTo(at) < CLUSTER_PX);
            if (home) { home.members.push(row); return; }
          }
        }
        const key = x + "," + y;
        near.set(key, [...(near.get(key) || []), { at, members: [row] }]);
      });
      const found = [...near.values()].flat();
      const discs = [];
      const taken = found.filter(({ members }) => members.length === 1).map(({ at }) => at);
      found.filter(({ members }) => members.length > 1).forEach(({ at, members }) => {
        const spots = members.map((row) => ({ spot: row.at, at: state.map.project(degrees(row.at)), hidden: covered(row) }));
        const apart = spots.filter((one) => taken.every((other) => other.distanceTo(one.at) > CLUSTER_PX - 4));
        const best = apart.find((one) => !one.hidden) || apart[0];
        const near = discs.find((other) => other.at.distanceTo(at) < 2 * CLUSTER_PX);
        if (best || !near) {
          discs.push({ spot: (best || spots[0]).spot, at: (best || spots[0]).at, members });
          taken.push((best || spots[0]).at);
        } else near.members = [...near.members, ...members].sort((a, b) => a.urgency - b.urgency);
      });
      discs.forEach((cluster) => group.addLayer(several(cluster)));
      found.filter(({ members }) => members.length === 1).forEach(({ members }) => group.addLayer(one(members[0])));
    };
    state.placers.push(place);
    state.marks.push(() => (state.map.hasLayer(group) ? group.getLayers().map((icon) => [icon.getLatLng(), 20, 20, 20]) : []));
    return group;
  }

  // A bubble that would lie on one with more cases is only a small ring until the map is near enough for both;
  // a place that the other bubble would hide altogether is counted on it, "×9 +1", and listed in its card.
  function recurrences(state, layer) {
    const group = L.layerGroup();
    const rows = [...layer.rows].sort((a, b) => b.times - a.times);
    const content = (row, hidden) => {
      const node = card(row.title, layer.columns, row.values, [{ href: row.href, text: row.open || state.words.open }]);
      if (hidden.length) node.append(el("h3", "", state.words.also_here));
      hidden.forEach((other) => node.append(step(other.title, null, () => node.replaceWith(content(other, [])))));
      return node;
    };
    const shown = (row, hidden) => {
      const text = "×" + row.times + (hidden.length ? " +" + hidden.length : "");
      const icon = marker(row.at, bubble(row.icon, text), [58, 42], [16, 41], 2000 + row.times);
      icon.gwRoom = [18, 42, 2, 26 + 7.4 * text.length];
      return icon.bindPopup(() => content(row, hidden), CARD);
    };
    const small = (row) => {
      const icon = marker(row.at, ring(), [24, 24], [12, 12], -500);
      icon.gwRoom = [9, 9, 9];
      return icon.bindPopup(() => content(row, []), CARD);
    };
    const place = () => {
      group.clearLayers();
      const taken = [], left = [];
      rows.forEach((row) => {
        const at = state.map.project(degrees(row.at));
        const edges = [at.x - 17, at.y - 42, at.x + 40 + 7.4 * String(row.times).length, at.y];
        const free = taken.every(({ edges: b }) => edges[2] < b[0] || edges[0] > b[2] || edges[3] < b[1] || edges[1] > b[3]);
        if (free) taken.push({ row, edges, hidden: [] });
        else left.push({ row, at });
      });
      left.forEach(({ row, at }) => {
        const over = taken.find(({ edges: b }) => at.x > b[0] - 8 && at.x < b[2] + 8 && at.y > b[1] - 8 && at.y < b[3] + 4);
        if (over) over.hidden.push(row);
        else group.addLayer(small(row));
      });
      taken.forEach(({ row, hidden }) => group.addLayer(shown(row, hidden)));
      state.bubbles = taken.map(({ edges }) => edges);
    };
    state.placers.push(place);
    state.marks.push(() => (state.map.hasLayer(group) ? group.getLayers().map((icon) => [icon.getLatLng(), ...icon.gwRoom]) : []));
    return group;
  }

  /* ---- names ------------------------------------------------------------------------------------------ */

  // At most sixty names, the reader's own grid first, then the widest; never on a marker, on each other or far
  // outside their cell. A name that finds no room at this zoom appears further in.
  function names(state) {
    const pane = state.map.createPane("gwNames");
    pane.style.zIndex = 590;
    pane.style.pointerEvents = "none";
    pane.setAttribute("aria-hidden", "true");
    const pen = document.createElement("canvas").getContext("2d");
    const wide = (text, style) => { pen.font = style + " " + getComputedStyle(state.map.getContainer()).fontFamily; return pen.measureText(text).width; };
    const place = () => {
      pane.replaceChildren();
      const map = state.map, size = map.getSize(), taken = [];
      const free = (left, top, right, bottom) => taken.every((b) => right < b[0] || left > b[2] || bottom < b[1] || top > b[3]);
      state.marks.forEach((marks) => marks().forEach(([at, west, north, south, east]) => {
        const p = map.latLngToContainerPoint(at);
        if (p.x < -60 || p.y < -60 || p.x > size.x + 60 || p.y > size.y + 60) return;
        taken.push([p.x - west, p.y - north, p.x + (east || west), p.y + south]);
      }));
      const full = map.getZoom() >= FULL_NAMES_FROM;
      const found = [];
      state.labels.forEach((label) => {
        if (!map.hasLayer(label.group)) return;
        const at = degrees(label.row[5]), p = map.latLngToContainerPoint(at);
        if (p.x < -20 || p.y < -10 || p.x > size.x + 20 || p.y > size.y + 10) return;
        const edge = map.latLngToContainerPoint([at.lat + label.row[5][2] / 1e6, at.lng]), room = Math.abs(p.y - edge.y);
        if (room >= 8) found.push({ label, at, p, room });
      });
      found.sort((a, b) => (b.label.first - a.label.first) || (a.label.quiet - b.label.quiet) || (b.room - a.room));
      let shown = 0;
      for (const { label, at, p, room } of found) {
        if (shown >= MOST_LABELS) break;
        const px = label.first ? 14 : 12.5;
        const style = (label.first ? "700 " : "600 ") + px + "px";
        const choices = full || label.first ? [label.row[1], label.row[2]] : [label.row[2] || label.row[1]];
        for (const text of choices) {
          if (!text) continue;
          const most = room * (label.first ? 3 : 1.45), name = wide(text, style) / 2 + 2;
          if (name > most) continue;
          const value = label.value ? wide(label.value, "400 " + px + "px") / 2 + 2 : Infinity;
          const two = room > 17 && value <= most;
          const half = two ? Math.max(name, value) : name, high = two ? 17 : 8.5;
          const spot = spots(p, room).find(([x, y]) => x - half > 2 && x + half < size.x - 2 && free(x - half, y - high, x + half, y + high));
          if (!spot) continue;
          taken.push([spot[0] - half, spot[1] - high, spot[0] + half, spot[1] + high]);
          const node = el("div", "gw-name" + (label.quiet ? " gw-quiet" : "") + (label.first ? " gw-first" : ""), text);
          if (two) node.append(el("span", "gw-value", label.value));
          L.DomUtil.setPosition(node, map.latLngToLayerPoint(at).add([spot[0] - p.x, spot[1] - p.y]));
          pane.append(node);
          shown += 1;
          break;
        }
      }
    };
    // the middle first, then a little above, below and aside, as far as the widest circle allows
    const spots = (p, room) => [[p.x, p.y], [p.x, p.y - room * 0.5], [p.x, p.y + room * 0.5], [p.x - room * 0.4, p.y], [p.x + room * 0.4, p.y], [p.x, p.y - room * 0.8], [p.x, p.y + room * 0.8]];
    state.placers.push(place);
    state.names = place;
  }

  /* ---- legend ----------------------------------------------------------------------------------------- */

  function swatch(item, drawing) {
    const root = svg("svg", { viewBox: "0 0 34 22", width: 34, height: 22, "aria-hidden": "true" });
    const rect = (fill, stroke, weight) => svg("rect", { x: 2, y: 2, width: 30, height: 18, fill, stroke, "stroke-width": weight });
    if (item.swatch === "fill") root.append(rect(item.fill, "#6E6876", 0.8));
    else if (item.swatch === "nodata") root.append(rect(pattern("nodata"), "#6E6876", 0.8));
    else if (item.swatch === "dots") root.append(rect(pattern("dots-" + drawing.fills[item.step].slice(1)), "#6E6876", 0.8));
    else if (item.swatch === "hot") root.append(rect("#FFFFFF", INK, 2.6));
    else if (item.swatch === "cold") {
      const dashed = rect("#FFFFFF", INK, 2.6);
      dashed.setAttribute("stroke-dasharray", "5 4");
      root.append(dashed);
    } else if (item.swatch === "sign") {
      const node = sign(item.sign, item.hot, 24);
      return node;
    }
    else if (item.swatch === "own") root.append(rect("#FFFFFF", DISC, 3.4));
    else if (item.swatch === "faded") root.append(rect("#F4F5F7", "#A3ABB8", 1.2));
    else if (item.swatch === "plan") root.append(rect("#FFFFFF", DISC, 1.8));
    else if (item.swatch === "dot") [[9, 3], [17, 4.5], [27, 6]].forEach(([cx, r]) => root.append(svg("circle", { cx, cy: 11, r, fill: INK, "fill-opacity": 0.42 })));
    else if (item.swatch === "barrier") root.append(svg("path", { d: "M2 11H32", stroke: RING, "stroke-width": 4, "stroke-dasharray": "9 6" }));
    else if (item.swatch === "plain") root.append(rect("#FFFFFF", "#8E96A3", 1.2));
    else if (item.swatch === "urgency") return symbol(drawing.urgencies[item.step], null, 26);
    else if (item.swatch === "badge") {
      const group = svg("g", { transform: "translate(8 2) scale(1.2)" });
      group.append(badge(item.badge, 0, 0));
      root.append(group);
    } else if (item.swatch === "recurrence") {
      const node = bubble(item.icon, "");
      node.setAttribute("viewBox", "0 0 32 42");
      node.setAttribute("width", 24);
      node.setAttribute("height", 30);
      return node;
    } else if (item.swatch === "cluster") {
      const node = disc(item.count, item.letter);
      node.setAttribute("width", 32);
      node.setAttribute("height", 32);
      return node;
    }
    return root;
  }

  // What can be chosen between, a column each with its numbers below; the map shows the one whose head is checked.
  function choices(state, part) {
    const table = el("table", "gw-choices");
    table.append(el("caption", "gw-hidden", part.title));
    const head = el("tr");
    head.append(el("td"));
    part.choices.columns.forEach((column, place) => {
      const cell = el("th");
      cell.scope = "col";
      const label = el("label");
      const radio = el("input");
      radio.type = "radio";
      radio.name = "gw-choice";
      radio.checked = place === 0;
      radio.addEventListener("change", () => {
        part.choices.columns.forEach((other) => other.layers.forEach((id) => {
          if (other === column) state.groups[id].addTo(state.map);
          else state.groups[id].remove();
        }));
        state.map.closePopup();
        [...table.rows].forEach((row) => [...row.cells].forEach((one, at) => one.classList.toggle("gw-chosen", at === place + 1)));
        state.names();
      });
      label.append(radio, el("b", "", column.title), el("span", "", column.note));
      cell.append(label);
      head.append(cell);
    });
    table.append(head);
    part.choices.rows.forEach(([name, ...values]) => {
      const row = el("tr");
      const side = el("th", "", name);
      side.scope = "row";
      row.append(side, ...values.map((value) => el("td", "", value)));
      table.append(row);
    });
    [...table.rows].forEach((row) => row.cells[1].classList.add("gw-chosen"));
    return table;
  }

  function legend(state, drawing, frame) {
    const words = drawing.words;
    const panel = el("aside", "gw-legend");
    const body = el("div", "gw-legend-body");
    body.id = "gw-legend-body";
    const pill = el("button", "gw-pill", words.legend);
    pill.type = "button";
    pill.setAttribute("aria-controls", body.id);
    const shut = el("button", "gw-shut", "×");
    shut.type = "button";
    shut.setAttribute("aria-label", words.close);
    const open = (yes) => { panel.classList.toggle("gw-open", yes); pill.setAttribute("aria-expanded", String(yes)); };
    pill.addEventListener("click", () => { open(true); shut.focus(); });
    shut.addEventListener("click", () => { open(false); pill.focus(); });
    panel.addEventListener("keydown", (event) => { if (event.key === "Escape") shut.click(); });
    open(false);
    body.append(el("h1", "gw-title", drawing.title));
    if (drawing.subtitle) body.append(el("p", "gw-subtitle", drawing.subtitle));
    drawing.legend.forEach((part) => {
      const section = el("section");
      if (part.layer) {
        const label = el("label", "gw-toggle");
        const box = el("input");
        box.type = "checkbox";
        box.checked = true;
        box.addEventListener("change", () => {
          if (box.checked) state.groups[part.layer].addTo(state.map);
          else state.groups[part.layer].remove();
          state.names();
        });
        label.append(box, el("span", "", part.title));
        section.append(label);
      } else if (part.title) section.append(el("h2", "", part.title));
      const list = el("ul", part.across ? "gw-across" : "");
      const note = el("p", "gw-note", part.note);
      const fillList = (items) => list.replaceChildren(...items.map((item) => {
        const line = el("li", item.wide ? "gw-wide" : "");
        line.append(swatch(item, drawing), el("span", "", item.text));
        return line;
      }));
      fillList(part.items);
      section.append(part.choices ? choices(state, part) : list);
      if (part.note) section.append(note);
      body.append(section);
      state.parts.push((items, text) => { fillList(items); note.textContent = text; });
    });
    drawing.notes.forEach((note) => body.append(el("p", "gw-note", note)));
    panel.append(pill, body, shut);
    frame.append(panel);
  }

  /* ---- controls --------------------------------------------------------------------------------------- */

  function controls(map, drawing, fit, narrow) {
    const words = drawing.words;
    if (drawing.credits.length) {
      const credits = L.control({ position: "bottomleft" });
      credits.onAdd = () => el("div", "gw-credits", drawing.credits.join(" · "));
      credits.addTo(map);
    }
    L.control.scale({ imperial: false, maxWidth: 120, position: "bottomleft" }).addTo(map);
    const zoom = L.control.zoom({ position: narrow ? "bottomleft" : "topleft", zoomInTitle: words.zoom_in, zoomOutTitle: words.zoom_out }).addTo(map);
    const whole = el("a", "gw-whole");
    const arrows = svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" });
    arrows.append(svg("path", { d: "M1.5 5.5V1.5H5.5M10.5 1.5H14.5V5.5M14.5 10.5V14.5H10.5M5.5 14.5H1.5V10.5", fill: "none", stroke: "currentColor", "stroke-width": 2 }));
    whole.append(arrows);
    whole.href = "#";
    whole.title = words.whole;
    whole.setAttribute("role", "button");
    whole.setAttribute("aria-label", words.whole);
    L.DomEvent.disableClickPropagation(whole);
    L.DomEvent.on(whole, "click", (event) => { L.DomEvent.stop(event); fit(); });
    zoom.getContainer().append(whole);
  }

  function background(map, drawing) {
    const tiles = L.tileLayer(drawing.tiles, { maxZoom: 19 }).addTo(map);
    let told = null;
    tiles.on("tileerror", () => {
      if (told) return;
      told = L.control({ position: "topright" });
      told.onAdd = () => {
        const node = el("div", "gw-notice", drawing.words.tiles_failed + " ");
        node.setAttribute("role", "status");
        const again = el("button", "", drawing.words.retry);
        again.type = "button";
        again.addEventListener("click", () => { told.remove(); told = null; tiles.redraw(); });
        node.append(again);
        L.DomEvent.disableClickPropagation(node);
        return node;
      };
      told.addTo(map);
    });
  }

  // Facts beside the pointer, where there is one; kept inside the frame.
  function hovering(map) {
    if (!window.matchMedia("(hover: hover)").matches) return () => {};
    const tip = L.tooltip({ className: "gw-tip", opacity: 1, offset: [14, 0] });
    const aim = (event) => {
      const y = event.containerPoint.y, high = map.getSize().y;
      tip.options.direction = y < 90 ? "bottom" : y > high - 90 ? "top" : "auto";
      tip.options.offset = tip.options.direction === "auto" ? [14, 0] : [0, y < 90 ? 14 : -14];
      tip.setLatLng(event.latlng);
    };
    return (group, content) => {
      group.on("mouseover", (event) => {
        aim(event);
        tip.setContent(content(event.propagatedFrom || event.layer)).addTo(map);
      });
      group.on("mousemove", aim);
      group.on("mouseout click", () => tip.remove());
    };
  }

  function draw(map, id) {
    const drawing = JSON.parse(document.getElementById(id).textContent);
    const container = map.getContainer(), frame = container.parentElement;
    const words = drawing.words;
    const fills = drawing.layers.flatMap((layer) => layer.fills || []);
    if (drawing.weeks) fills.push(...drawing.weeks.spans.flatMap((span) => span.fills));
    drawing.fills = (drawing.layers.find((layer) => layer.fills && layer.fills.length) || {}).fills || [];
    drawing.urgencies = (drawing.layers.find((layer) => layer.urgencies) || {}).urgencies || [];
    container.setAttribute("role", "region");
    container.setAttribute("aria-label", words.map + ": " + drawing.title);
    document.body.prepend(patterns(new Set(fills)));
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
      map.options.zoomAnimation = map.options.fadeAnimation = map.options.markerZoomAnimation = false;
    }
    const points = window.matchMedia("(hover: hover)").matches;
    const state = { map, words, points, labels: [], cells: [], parts: [], marks: [], placers: [], bubbles: [], groups: {}, names: () => {}, hover: hovering(map) };
    if (drawing.layout === "listed") frame.classList.add("gw-listed");
    legend(state, drawing, frame);
    const begin = drawing.weeks && window.gridwhistle.weeks && window.gridwhistle.weeks(state, drawing, frame);
    map.invalidateSize({ animate: false });
    // room for the controls, so that nothing of the area lies under them
    const narrow = window.matchMedia("(max-width: 719px)").matches;
    const room = narrow
      ? { paddingTopLeft: [14, 14], paddingBottomRight: [14, 124] }
      : { paddingTopLeft: [58, 16], paddingBottomRight: [16, 58] };
    const fit = () => map.fitBounds(box(drawing.view), { ...room, animate: false });
    fit();
    map.setMaxBounds(box(drawing.limits));
    if (drawing.tiles) background(map, drawing);
    drawing.layers.forEach((layer) => {
      const make = { cells, outline, incidents, recurrences, dots, lines, image, signs, ...window.gridwhistle.kinds }[layer.kind];
      state.groups[layer.id] = make(state, layer);
      if (!layer.hidden) state.groups[layer.id].addTo(map);
    });
    names(state);
    const place = () => state.placers.forEach((one) => one());
    map.on("zoomend viewreset", place).on("moveend", state.names).on("resize", () => { place(); });
    map.on("zoomstart", () => map.getPane("gwNames").replaceChildren());
    map.on("popupopen", (event) => {
      const close = event.popup.getElement().querySelector(".leaflet-popup-close-button");
      if (close) close.setAttribute("aria-label", words.close);
    });
    place();
    if (begin) begin();
    controls(map, drawing, fit, narrow);
    container.dataset.ready = "yes";
  }

  // Files that draw further kinds of layers, such as faults.js, add them to `kinds` and build with `tools`.
  window.gridwhistle = { draw, kinds: {}, tools: { CARD, card, degrees, el, filled, marker, painted, rings, svg } };
})();
