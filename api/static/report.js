/* The map of the report form: click, position or centre give a point; the server says which cell holds it. */
(function () {
  "use strict";

  const node = document.getElementById("pick");
  const form = document.getElementById("report");
  const panel = document.getElementById("place");
  if (!node || !form || typeof L === "undefined") return;
  node.hidden = false;
  form.querySelectorAll("[data-with-map]").forEach((part) => { part.hidden = false; });

  const fields = form.elements;
  const [west, south, east, north] = JSON.parse(node.dataset.bounds);
  const map = L.map(node, { attributionControl: false, zoomControl: false, preferCanvas: true, zoomSnap: 0.5, minZoom: 8, maxZoom: 19 });
  L.control.zoom({ zoomInTitle: node.dataset.zoomIn, zoomOutTitle: node.dataset.zoomOut }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  map.fitBounds([[south, west], [north, east]]);

  /* ---- the areas in sight, of the level that the zoom can show, and bolder those that they lie in ---- */

  const ABOVE = { community: "town", building_group: "community" };
  const cells = L.geoJSON(null, { interactive: false, style: { color: "#5B6B82", weight: 1, fillColor: "#FFFFFF", fillOpacity: 0.9 } }).addTo(map);
  const parents = L.geoJSON(null, { interactive: false, style: { color: "#1F3A5F", weight: 2, fill: false } }).addTo(map);
  const names = L.layerGroup().addTo(map);
  let shown = "";
  let asked = null;

  function level() {
    const zoom = map.getZoom();
    if (zoom < 11.5) return "town";
    return zoom < 14 ? "community" : "building_group";
  }

  function drawCells() {
    const box = map.getBounds().pad(0.15);
    const edges = [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()].map((edge) => edge.toFixed(4)).join(",");
    const own = level();
    const address = own + edges;
    if (address === shown) return;
    shown = address;
    if (asked) asked.abort();
    asked = new AbortController();
    const ask = (one) => fetch("/api/grids?level=" + one + "&bbox=" + edges, { signal: asked.signal, headers: { Accept: "application/geo+json" } })
      .then((answer) => (answer.ok ? answer.json() : null));
    Promise.all([ask(own), ABOVE[own] ? ask(ABOVE[own]) : null])
      .then(([found, above]) => {
        if (!found || address !== shown) return;
        cells.clearLayers();
        parents.clearLayers();
        names.clearLayers();
        cells.addData(found);
        if (above) parents.addData(above);
        cells.bringToBack();
        const taken = [];
        if (map.getZoom() < 16) label(parents, "cell-name cell-name-above", 1.4, taken);
        label(cells, "cell-name", 1, taken);
      })
      .catch(() => { /* the form works without the outlines */ });
  }

  // A name stands in the middle of its area, if it fits there and covers no other name.
  function label(areas, className, spill, taken) {
    const sight = map.getBounds();
    areas.eachLayer((area) => {
      const box = area.getBounds();
      const middle = area.getCenter();
      if (!sight.contains(middle)) return;
      const low = map.latLngToContainerPoint(box.getSouthWest());
      const high = map.latLngToContainerPoint(box.getNorthEast());
      const name = area.feature.properties.name;
      const wide = Array.from(name).reduce((sum, letter) => sum + (letter > "\u2E80" ? 14 : 8), 4);
      if (wide > (high.x - low.x) * spill || low.y - high.y < 18) return;
      const { x, y } = map.latLngToContainerPoint(middle);
      if (taken.some((other) => Math.abs(other.x - x) < (other.wide + wide) / 2 && Math.abs(other.y - y) < 18)) return;
      taken.push({ x, y, wide });
      const text = document.createElement("span");
      text.textContent = name;
      const icon = L.divIcon({ className, html: text, iconSize: [wide, 18] });
      names.addLayer(L.marker(middle, { interactive: false, keyboard: false, icon }));
    });
  }

  map.on("moveend", drawCells);
  drawCells();

  /* ---- the point ---- */

  const ring = L.circle([0, 0], { radius: 0, color: "#1F3A5F", weight: 1, fillOpacity: 0.08, interactive: false });
  const halo = L.circleMarker([0, 0], { radius: 11, color: "#FFFFFF", weight: 4, fill: false, interactive: false });
  const dot = L.circleMarker([0, 0], { radius: 9, color: "#1B1B1F", weight: 2, fillColor: "#1F3A5F", fillOpacity: 1, interactive: false });

  function mark(lat, lon) {
    const spot = L.latLng(lat, lon);
    const accuracy = Number(fields.accuracy_m.value) || 0;
    if (accuracy > 0) ring.setLatLng(spot).setRadius(accuracy).addTo(map); else ring.remove();
    halo.setLatLng(spot).addTo(map);
    dot.setLatLng(spot).addTo(map);
    if (!map.getBounds().contains(spot)) map.panTo(spot, { animate: false });
  }

  function choose(spot, accuracy) {
    fields.lon.value = spot.lng.toFixed(6);
    fields.lat.value = spot.lat.toFixed(6);
    fields.frame.value = "WGS84";
    fields.accuracy_m.value = accuracy ? Math.max(1, Math.round(accuracy)) : "";
    mark(spot.lat, spot.lng);
    htmx.trigger(panel, "located");
  }

  map.on("click", (event) => choose(event.latlng.wrap()));
  form.querySelector("[data-centre]").addEventListener("click", () => choose(map.getCenter().wrap()));

  const said = form.querySelector("[data-locate-said]");
  const locate = form.querySelector("[data-locate]");
  if (!("geolocation" in navigator) || !window.isSecureContext) locate.hidden = true;
  locate.addEventListener("click", () => {
    navigator.geolocation.getCurrentPosition(
      (found) => {
        const spot = L.latLng(found.coords.latitude, found.coords.longitude);
        map.setView(spot, 16, { animate: false });
        choose(spot, found.coords.accuracy);
        said.textContent = said.dataset.found.replace("%", Math.round(found.coords.accuracy));
      },
      () => { said.textContent = said.dataset.failed; },
      { enableHighAccuracy: true, timeout: 15000, maximumAge: 10000 }
    );
  });

  // typed coordinates, in whatever frame: the server answers with the place in ours
  ["lon", "lat", "frame"].forEach((name) => fields[name].addEventListener("change", () => {
    fields.accuracy_m.value = "";
    htmx.trigger(panel, "located");
  }));
  // a coarse point that somebody says is right: the next question, if there is one
  panel.addEventListener("change", (event) => {
    if (event.target.name === "pin" && event.target.checked) htmx.trigger(panel, "located");
  });
  function follow() {
    const found = panel.querySelector("[data-located]");
    if (found) mark(Number(found.dataset.lat), Number(found.dataset.lon));
  }
  document.addEventListener("htmx:afterSwap", (event) => { if (event.target === panel) follow(); });
  follow();
})();
