/* The form of an analysis shows a choice only beside those with which it means something. Without scripts it shows what
 * applied when the page was made; what does not apply the server leaves out of account.
 */
(function () {
  "use strict";

  const parts = [...document.querySelectorAll("form [data-needs]")];
  const show = () => parts.forEach((part) => {
    const other = part.closest("form").elements[part.dataset.needs];
    part.hidden = !part.dataset.among.split(" ").includes(other.value);
  });
  document.addEventListener("change", show);
  window.addEventListener("pageshow", show); // a browser may bring back what was chosen before
  show();
})();

/* The table beside a map: when the slider of the map moves, the same numbers stand here, and in the address.
 *
 * The map lies in a sandbox and has no origin, so what it says is believed only from that frame, and only as numbers
 * and days: nothing of it becomes markup or a link to anywhere else.
 */
(function () {
  "use strict";

  const frame = document.querySelector("[data-analysis-map]");
  const section = document.querySelector("[data-analysis-numbers]");
  const table = section && section.querySelector("table.figures");
  if (!frame || !table) return;
  const body = table.tBodies[0], said = section.querySelector("[data-weeks-said]");
  const rows = new Map([...body.rows].map((row) => [row.dataset.code, row]));
  const order = [...body.rows], foot = table.tFoot && table.tFoot.rows[0];
  const plain = new Intl.NumberFormat("en-US");
  const one = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const isDay = (text) => typeof text === "string" && /^\d{4}-\d\d-\d\d$/.test(text);
  const first = new Map();

  // What the page came with, to go back to.
  [...order, ...(foot ? [foot] : [])].forEach((row) => {
    first.set(row, [...row.querySelectorAll("[data-n], [data-value]")].map((node) => [node, node.textContent, node.href]));
  });

  function fill(row, n, value, from, to) {
    const count = row.querySelector("[data-n]"), figure = row.querySelector("[data-value]");
    if (count) {
      count.textContent = plain.format(n);
      if (count.href) {
        const address = new URL(count.href);
        address.searchParams.set("from", from);
        address.searchParams.set("to", to);
        count.href = address.href;
      }
    }
    if (figure) figure.textContent = value === null ? "-" : value;
    const note = row.querySelector("[data-note]");
    if (note) note.hidden = true; // said of the whole period
  }

  function back() {
    first.forEach((nodes, row) => {
      nodes.forEach(([node, text, href]) => { node.textContent = text; if (href) node.href = href; });
      const note = row.querySelector("[data-note]");
      if (note) note.hidden = false;
    });
    body.append(...order);
  }

  function show(data) {
    if (data.whole) back();
    else {
      const found = [];
      data.rows.forEach(([code, n, value]) => {
        const row = rows.get(code);
        if (!row || !Number.isSafeInteger(n)) return;
        const text = value === null ? null : String(value).replace(/[^0-9.,]/g, "");
        fill(row, n, text, data.first, data.last);
        found.push([row, text === null ? -1 : Number(text.replace(/,/g, "")), n]);
      });
      found.sort((a, b) => b[1] - a[1] || b[2] - a[2]);
      body.append(...found.map(([row]) => row));
      if (foot) {
        const size = Number(foot.dataset.size), value = size ? data.total / size : null;
        fill(foot, data.total, value === null ? null : value === 0 ? "0" : one.format(value), data.first, data.last);
      }
    }
    said.hidden = data.whole;
    said.textContent = data.whole ? "" : data.first + " – " + data.last;
    const address = new URL(location.href);
    const moved = { span: data.span, week: data.whole ? null : data.at };
    Object.entries(moved).forEach(([name, value]) => {
      if (value === null) address.searchParams.delete(name);
      else address.searchParams.set(name, value);
    });
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  }

  let waiting = null, told = null;
  window.addEventListener("message", (event) => {
    const data = event.data;
    if (event.source !== frame.contentWindow || !data || data.gridwhistle !== "weeks") return;
    if (!isDay(data.first) || !isDay(data.last) || !isDay(data.at) || !Array.isArray(data.rows)) return;
    if (!Number.isSafeInteger(data.total) || !(data.span === null || Number.isSafeInteger(data.span))) return;
    told = { ...data, whole: data.whole === true };
    if (!waiting) waiting = requestAnimationFrame(() => { waiting = null; show(told); });
  });
})();
