/* The slider below a hot-spot map: adds up the weeks that it stands on and paints the cells anew, here, without asking
 * anybody. The page around the map hears the same numbers, so that its table never says anything else.
 *
 * drawing.weeks, as maps/weeks.py makes it:
 *   first  Monday of the first week, count  how many, rows  counts of each cell of the first layer, packed
 *   per    what a rate divides by, by cell, null for counts; few  below which a rate is dotted; decimals
 *   since, until  first and last day of the period; edges, zero  the classes of the whole of it
 *   at     place of the last week shown, span  weeks of the window or null for "from the start"
 *   spans  [{weeks, text, edges, zero, fills, labels, note}] the classes of each length of window
 *
 * To the page around: {gridwhistle: "weeks", first, last, whole, span, at, total, rows: [[code, n, value | null]]}
 */
(function () {
  "use strict";

  const { el, filled, painted, svg } = window.gridwhistle.tools;
  const DAY = 86400000, TICK = 900;

  // Counts are letters, 0 to 9 and a to z; a larger one stands in brackets; zeros at the end are left out.
  function unpacked(text, count) {
    const row = new Int32Array(count);
    let at = 0;
    for (let i = 0; i < text.length; i += 1) {
      if (text[i] === "(") {
        const end = text.indexOf(")", i);
        row[at] = Number(text.slice(i + 1, end));
        i = end;
      } else row[at] = parseInt(text[i], 36);
      at += 1;
    }
    return row;
  }

  const day = (first, days) => new Date(Date.parse(first + "T00:00:00Z") + days * DAY).toISOString().slice(0, 10);

  function stepOf(value, classes) {
    if (value === null) return -1;
    if (classes.zero && value === 0) return 0;
    let step = 0;
    while (step + 1 < classes.edges.length && value >= classes.edges[step + 1]) step += 1;
    return step + (classes.zero ? 1 : 0);
  }

  function weeks(state, drawing, frame) {
    const data = drawing.weeks, words = data.words;
    const layer = drawing.layers.find((one) => one.look === "area");
    // running sums, so that a window of any length is one subtraction a cell
    const sums = data.rows.map((text) => {
      const row = unpacked(text, data.count), sum = new Int32Array(data.count + 1);
      for (let week = 0; week < data.count; week += 1) sum[week + 1] = sum[week] + row[week];
      return sum;
    });
    const totals = Array.from({ length: data.count }, (_, week) => sums.reduce((all, sum) => all + sum[week + 1] - sum[week], 0));
    const original = layer.rows.map((row) => ({ step: row[6], flags: row[7], label: row[3], text: row[8][0], value: row[8][1] }));
    const legendPart = drawing.legend[0], steps = layer.fills.length;
    const own = { edges: data.edges, zero: data.zero, fills: layer.fills, labels: legendPart.items.slice(0, steps).map((item) => item.text) };
    const number = new Intl.NumberFormat("en-US", { minimumFractionDigits: data.decimals, maximumFractionDigits: data.decimals });
    const plain = new Intl.NumberFormat("en-US");
    let at = data.at, span = data.span, timer = null;

    /* ---- controls ---- */
    const panel = el("section", "gw-weeks");
    panel.setAttribute("aria-label", words.title);
    const button = (text, title, act) => {
      const node = el("button", "", text);
      node.type = "button";
      node.title = title;
      node.setAttribute("aria-label", title);
      node.addEventListener("click", act);
      return node;
    };
    const play = button("▶", words.play, () => toggle());
    const back = button("‹", words.back, () => { stop(); move(at - 1); });
    const on = button("›", words.on, () => { stop(); move(at + 1); });
    const chosen = (label, options, value, act) => {
      const node = el("label", "gw-weeks-choice"), select = el("select");
      options.forEach(([code, text]) => {
        const option = el("option", "", text);
        option.value = code;
        select.append(option);
      });
      select.value = value;
      select.addEventListener("change", () => act(select.value));
      node.append(el("span", "", label), select);
      return node;
    };
    let pace = 1;
    const windows = chosen(words.window, [["", words.start], ...data.spans.map((one) => [String(one.weeks), one.text])], span === null ? "" : String(span), (value) => {
      span = value === "" ? null : Number(value);
      move(at);
    });
    const speed = chosen(words.speed, [["1", "1×"], ["2", "2×"], ["4", "4×"]], "1", (value) => { pace = Number(value); });
    const said = el("output", "gw-weeks-said");
    const range = el("input", "gw-weeks-range");
    range.type = "range";
    range.min = "0";
    range.max = String(data.count - 1);
    range.step = "1";
    range.setAttribute("aria-label", words.slider);
    range.title = words.keys;
    range.addEventListener("input", () => { stop(); move(Number(range.value)); });
    panel.addEventListener("keydown", (event) => {
      if (event.key === " " && event.target === range) { event.preventDefault(); toggle(); }
    });

    /* ---- histogram ---- */
    const most = Math.max(1, ...totals);
    const chart = svg("svg", { viewBox: "0 0 " + data.count + " 30", preserveAspectRatio: "none", class: "gw-weeks-chart", "aria-hidden": "true" });
    const bars = totals.map((total, week) => {
      const high = (28 * total) / most;
      const bar = svg("rect", { x: week + 0.1, y: 30 - high, width: 0.8, height: high });
      chart.append(bar);
      return bar;
    });
    const track = el("div", "gw-weeks-track");
    track.append(chart, range);
    const row = el("div", "gw-weeks-row");
    row.append(back, play, on, said, windows, speed);
    panel.append(row, track);
    frame.append(panel);
    frame.classList.add("gw-timed");

    function toggle() {
      if (timer) { stop(); return; }
      if (at >= data.count - 1) move(span === null ? 0 : Math.min(span, data.count) - 1);
      play.textContent = "❚❚";
      play.setAttribute("aria-label", words.pause);
      play.title = words.pause;
      const tick = () => {
        if (at >= data.count - 1) { stop(); return; }
        move(at + 1);
        timer = setTimeout(tick, TICK / pace);
      };
      timer = setTimeout(tick, TICK / pace);
    }

    function stop() {
      clearTimeout(timer);
      timer = null;
      play.textContent = "▶";
      play.setAttribute("aria-label", words.play);
      play.title = words.play;
    }

    /* ---- the map ---- */
    function move(to) {
      at = Math.min(Math.max(to, 0), data.count - 1);
      const begin = span === null ? 0 : Math.max(0, at + 1 - span);
      const whole = begin === 0 && at === data.count - 1;
      // from the start the classes are those of the whole period, so that the map darkens as it fills
      const classes = span === null ? null : data.spans.find((one) => one.weeks === span);
      const used = classes || own;
      const found = [];
      let all = 0;
      state.cells.forEach((cell, place) => {
        const n = sums[place][at + 1] - sums[place][begin];
        const per = data.per ? data.per[place] : 1;
        const value = per === null ? null : n / per;
        all += n;
        const text = value === null ? null : value === 0 ? "0" : number.format(value);
        found.push([cell.row[0], n, text]);
        const small = n > 0 && n < data.few ? 1 : 0;
        const before = original[place];
        const step = whole && !classes ? before.step : stepOf(value, used);
        cell.row[6] = step;
        cell.row[8][0] = plain.format(n);
        if (data.per) cell.row[8][1] = text === null ? "-" : text;
        cell.label.value = whole ? before.label : text;
        const look = painted(used.fills, step, small, state.canvas);
        if (look.fillColor !== cell.shape.options.fillColor) cell.shape.setStyle(look);
      });
      // what was tested was tested for the whole period
      Object.entries(state.groups).forEach(([id, group]) => {
        if (id === "hot" || id === "cold" || id === "patterns") { if (whole) group.addTo(state.map); else group.remove(); }
      });
      const items = used.labels.map((text, step) => ({ swatch: "fill", fill: used.fills[step], text }));
      const marks = legendPart.items.slice(steps).filter((item) => whole || (item.swatch !== "hot" && item.swatch !== "cold"));
      state.parts[0]([...items, ...marks], (classes ? classes.note : legendPart.note) + (whole ? "" : " " + words.whole));
      bars.forEach((bar, week) => bar.classList.toggle("gw-in", week >= begin && week <= at));
      const monday = day(data.first, 7 * begin), sunday = day(data.first, 7 * at + 6);
      const first = monday < data.since ? data.since : monday, last = sunday > data.until ? data.until : sunday;
      const text = filled(words.cases, { from: first, to: last, count: plain.format(all) });
      said.textContent = text;
      range.value = String(at);
      range.setAttribute("aria-valuetext", text);
      back.disabled = at === 0;
      on.disabled = at === data.count - 1;
      state.names();
      if (window.parent !== window) {
        window.parent.postMessage({ gridwhistle: "weeks", first, last, whole, span, at: day(data.first, 7 * at), total: all, rows: found }, "*");
      }
    }

    return () => move(at);
  }

  window.gridwhistle.weeks = weeks;
})();
