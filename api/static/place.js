/* The small map of one incident: its cell and its point, from the page itself; nothing is fetched. */
(function () {
  "use strict";

  const FILLS = { red: "#C1121F", orange: "#E8830C", yellow: "#F4CF1B", blue: "#1B72CC", green: "#0B7A4B" };

  document.querySelectorAll("[data-place]").forEach((node) => {
    const place = JSON.parse(node.dataset.place);
    const map = L.map(node, { attributionControl: false, zoomControl: false, scrollWheelZoom: false, zoomSnap: 0.25, renderer: L.svg({ padding: 1 }) });
    L.control.zoom({ zoomInTitle: node.dataset.zoomIn, zoomOutTitle: node.dataset.zoomOut }).addTo(map);
    L.control.scale({ imperial: false }).addTo(map);
    const spot = [place.lat, place.lon];
    map.setView(spot, 16);
    if (place.cell) {
      const cell = L.geoJSON(place.cell, { interactive: false, style: { color: "#1F3A5F", weight: 2, fillColor: "#FFFFFF", fillOpacity: 0.9 } }).addTo(map);
      map.fitBounds(cell.getBounds().extend(spot), { padding: [16, 16], maxZoom: 17 });
    }
    L.circleMarker(spot, { radius: 12, color: "#FFFFFF", weight: 3, opacity: 1, fill: false, interactive: false }).addTo(map);
    L.circleMarker(spot, { radius: 9, color: "#1B1B1F", weight: 2, fillColor: FILLS[place.grade] || "#FFFFFF", fillOpacity: 1, interactive: false }).addTo(map);
  });
})();
