/* Recurrent problem points on a map beside their list: a row and its sign belong together. What people wrote reaches
 * the page by textContent only; the outlines of the grid come from our own interface. */
(function () {
  "use strict";

  if (typeof L === "undefined") return;
  const WIDE = 56, HIGH = 32; // a sign and a little room
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  function el(name, className, text) {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function begin(node, options) {
    const map = L.map(node, { attributionControl: false, zoomControl: false, zoomSnap: 0.5, minZoom: 8, maxZoom: 19, ...options });
    L.control.zoom({ zoomInTitle: node.dataset.zoomIn, zoomOutTitle: node.dataset.zoomOut }).addTo(map);
    L.control.scale({ imperial: false }).addTo(map);
    return map;
  }

  /* ---- the areas in sight, of the level that the zoom can show ---- */

  function outlines(map, named = true) {
    const canvas = L.canvas({ padding: 0.3 });
    const cells = L.geoJSON(null, { interactive: false, renderer: canvas, style: { color: "#5B6B82", weight: 1, fillColor: "#FFFFFF", fillOpacity: 0.9 } }).addTo(map);
    const names = L.layerGroup().addTo(map);
    let shown = "", asked = null;

    function draw() {
      const zoom = map.getZoom();
      const level = zoom < 11.5 ? "town" : zoom < 14.5 ? "community" : "building_group";
      const box = map.getBounds().pad(0.1);
      const address = "/api/grids?level=" + level + "&bbox=" + [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()].map((edge) => edge.toFixed(4)).join(",");
      if (address === shown) return;
      shown = address;
      if (asked) asked.abort();
      asked = new AbortController();
      fetch(address, { signal: asked.signal, headers: { Accept: "application/geo+json" } })
        .then((answer) => (answer.ok ? answer.json() : null))
        .then((found) => {
          if (!found || address !== shown) return;
          cells.clearLayers();
          cells.addData(found);
          if (named) label();
        })
        .catch(() => { /* the map works without the outlines */ });
    }

    // a name stands in the middle of its area where it fits
    function label() {
      names.clearLayers();
      cells.eachLayer((area) => {
        const box = area.getBounds(), middle = area.getCenter(), name = area.feature.properties.short_name;
        const low = map.latLngToContainerPoint(box.getSouthWest()), high = map.latLngToContainerPoint(box.getNorthEast());
        const wide = Array.from(name).reduce((sum, letter) => sum + (letter > "\u2E80" ? 14 : 8), 4);
        if (wide > high.x - low.x || low.y - high.y < 18) return;
        names.addLayer(L.marker(middle, { interactive: false, keyboard: false, zIndexOffset: -10000, icon: L.divIcon({ className: "cell-name", html: el("span", "", name), iconSize: [wide, 18] }) }));
      });
    }
    map.on("moveend", draw);
    map.whenReady(draw);
  }

  /* ---- signs, and the rows that they belong to ---- */

  function sign(spot) {
    const node = el("span", "spot spot-" + spot.look);
    node.append(el("span", "", spot.sign), el("b", "", "×" + spot.times));
    return L.divIcon({ className: "spot-holder", html: node, iconSize: [54, 30], iconAnchor: [27, 15] });
  }

  // The sign of several: how many they are, in the look of the one that is worst.
  function gathered(node, members) {
    const look = ["alert", "live", "guess", "done"].find((each) => members.some((spot) => spot.look === each));
    const text = node.dataset.several.replace("{count}", members.length);
    const mark = el("span", "spot spot-several spot-" + look, text);
    return L.divIcon({ className: "spot-holder", html: mark, iconSize: [16 + 13 * text.length, 34], iconAnchor: [8 + 6.5 * text.length, 17] });
  }

  function card(node, spot) {
    const box = el("div", "spot-card");
    box.append(el("b", "", spot.name), el("p", "", spot.status + " · ×" + spot.times));
    const link = el("a", "", node.dataset.open);
    link.href = "/points/" + encodeURIComponent(spot.number);
    box.append(link);
    return box;
  }

  document.querySelectorAll("[data-points]").forEach((node) => {
    const spots = JSON.parse(node.dataset.points);
    const map = begin(node, { scrollWheelZoom: !node.dataset.radius });
    const at = (spot) => [spot.lat, spot.lon];
    if (!spots.length) return;
    map.fitBounds(L.latLngBounds(spots.map(at)), { padding: [50, 50], maxZoom: node.dataset.radius ? 17 : 15, animate: false });
    outlines(map, !node.dataset.radius);
    if (node.dataset.radius) {
      L.circle(at(spots[0]), { radius: Number(node.dataset.radius), color: "#4C1A4E", weight: 2, fillColor: "#C58FBB", fillOpacity: 0.35, interactive: false }).addTo(map);
    }

    const rows = new Map([...document.querySelectorAll("[data-spot]")].map((row) => [row.dataset.spot, row]));
    const group = L.layerGroup().addTo(map);
    const homes = new Map(); // number -> the sign that stands for it at this zoom, its own or that of several
    const mark = (number, on) => {
      const row = rows.get(number), icon = homes.get(number);
      if (row) row.classList.toggle("point-lit", on);
      if (icon && icon.getElement()) icon.getElement().classList.toggle("spot-lit", on);
      if (icon) icon.setZIndexOffset(on ? 1000 : 0);
    };
    const current = (spot) => {
      const row = rows.get(spot.number);
      rows.forEach((one) => one.removeAttribute("aria-current"));
      if (!row) return;
      row.setAttribute("aria-current", "true");
      if (window.innerWidth >= 1024) row.scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
    };
    const tell = (spot) => {
      L.popup({ offset: [0, -10], closeButton: false }).setLatLng(at(spot)).setContent(card(node, spot)).openOn(map);
      current(spot);
    };

    function one(spot) {
      const icon = L.marker(at(spot), { icon: sign(spot), keyboard: false, riseOnHover: true, interactive: !node.dataset.radius });
      homes.set(spot.number, icon);
      return icon.on("click", () => tell(spot)).on("mouseover", () => mark(spot.number, true)).on("mouseout", () => mark(spot.number, false));
    }

    // Several lie where there is room for one sign: it says how many, and a click parts them, or lists them where the
    // map goes no nearer.
    function several(members) {
      const around = L.latLngBounds(members.map(at));
      const icon = L.marker(around.getCenter(), { icon: gathered(node, members), keyboard: false, riseOnHover: true });
      members.forEach((spot) => homes.set(spot.number, icon));
      const light = (on) => members.forEach((spot) => mark(spot.number, on));
      icon.on("mouseover", () => light(true)).on("mouseout", () => light(false));
      return icon.on("click", () => {
        const apart = map.getZoom() < map.getMaxZoom() && around.getNorthEast().distanceTo(around.getSouthWest()) > 3;
        if (apart) map.fitBounds(around, { padding: [60, 60], animate: !still });
        else L.popup({ offset: [0, -10], maxHeight: 260 }).setLatLng(around.getCenter()).setContent(listed(members)).openOn(map);
      });
    }

    function listed(members) {
      const box = el("div", "spot-card");
      members.forEach((spot) => {
        const line = el("button", "spot-line");
        line.type = "button";
        const mini = el("span", "spot spot-" + spot.look);
        mini.append(el("span", "", spot.sign), el("b", "", "×" + spot.times));
        line.append(mini, el("span", "", spot.name));
        L.DomEvent.on(line, "click", (event) => { L.DomEvent.stop(event); tell(spot); });
        box.append(line);
      });
      return box;
    }

    function place() {
      group.clearLayers();
      homes.clear();
      const clusters = [];
      [...spots].sort((a, b) => b.times - a.times).forEach((spot) => {
        const p = map.project(at(spot));
        const home = clusters.find((other) => Math.abs(other.p.x - p.x) < WIDE && Math.abs(other.p.y - p.y) < HIGH);
        if (home) home.members.push(spot);
        else clusters.push({ p, members: [spot] });
      });
      clusters.forEach(({ members }) => group.addLayer(members.length === 1 ? one(members[0]) : several(members)));
    }
    map.on("zoomend", place);
    place();

    rows.forEach((row, number) => {
      row.addEventListener("mouseenter", () => mark(number, true));
      row.addEventListener("mouseleave", () => mark(number, false));
      row.addEventListener("focusin", () => mark(number, true));
      row.addEventListener("focusout", () => mark(number, false));
      const button = row.querySelector("[data-show]");
      const spot = spots.find((each) => each.number === number);
      if (!button || !spot) return;
      button.addEventListener("click", () => {
        const low = window.innerWidth < 1024;
        if (low) node.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
        map.once("moveend", () => tell(spot));
        if (still) map.setView(at(spot), 16, { animate: false });
        else map.flyTo(at(spot), 16, { duration: 0.7 });
      });
    });
  });

  /* ---- a point that is named: click, or the centre of the map ---- */

  document.querySelectorAll("[data-pick-point]").forEach((node) => {
    const fields = node.closest("form").elements;
    const [west, south, east, north] = JSON.parse(node.dataset.pickPoint);
    const map = begin(node, {});
    let pin = null;
    const put = (spot, write) => {
      if (pin) pin.setLatLng(spot);
      else pin = L.circleMarker(spot, { radius: 10, color: "#1B1B1F", weight: 3, fillColor: "#96548F", fillOpacity: 0.9, interactive: false, renderer: L.svg({ padding: 1 }) }).addTo(map);
      if (!write) return;
      fields.lon.value = spot.lng.toFixed(6);
      fields.lat.value = spot.lat.toFixed(6);
      fields.frame.value = "CGCS2000";
    };
    const typed = () => {
      const lon = parseFloat(fields.lon.value), lat = parseFloat(fields.lat.value);
      if (!Number.isFinite(lon) || !Number.isFinite(lat) || Math.abs(lat) > 85) return false;
      put(L.latLng(lat, lon), false);
      return true;
    };
    map.fitBounds([[south, west], [north, east]], { animate: false });
    outlines(map);
    if (typed()) map.setView(pin.getLatLng(), 16, { animate: false });
    map.on("click", (event) => put(event.latlng, true));
    fields.lon.addEventListener("change", typed);
    fields.lat.addEventListener("change", typed);
    document.querySelectorAll("[data-pick-centre]").forEach((button) => button.addEventListener("click", () => put(map.getCenter(), true)));
  });
})();
