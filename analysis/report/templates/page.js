// The page's own script: theme, sorting, copying, figures. Nothing here asks a network.
"use strict";
(() => {
  const root = document.documentElement;
  const { figures, commands } = JSON.parse(document.getElementById("figures").textContent);
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const tone = (number) => css(number < 0 ? "--soft" : `--t${number}`);
  const GLYPHS = { circle: "M13 2.5a3.5 3.5 0 1 0 .01 0z", square: "M10 3h6v6h-6z", "triangle-up": "M13 2l4 7.5h-8z",
    diamond: "M13 1.5l4 4.5-4 4.5-4-4.5z", "triangle-down": "M13 10l4-7.5h-8z", cross: "M11.7 2h2.6v2.7H17v2.6h-2.7V10h-2.6V7.3H9V4.7h2.7z",
    x: "M10.2 2l2.8 2.8L15.8 2l1.2 1.2L14.2 6l2.8 2.8L15.8 10 13 7.2 10.2 10 9 8.8 11.8 6 9 3.2z",
    star: "M13 1l1.4 3.4 3.6.3-2.8 2.3.9 3.6L13 8.7l-3.1 1.9.9-3.6L8 4.7l3.6-.3z", hexagon: "M11 2.5h4l2 3.5-2 3.5h-4L9 6z",
    "triangle-left": "M9 6l7.5-4v8z", "triangle-right": "M17 6L9.5 2v8z" };

  // ---- saying and copying
  const said = document.getElementById("said");
  let hush = 0;
  const say = (text) => { said.textContent = text; clearTimeout(hush); hush = setTimeout(() => { said.textContent = ""; }, 2500); };
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say("copied");
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) copy(button.dataset.copy);
  });

  // ---- theme
  const wanted = matchMedia("(prefers-color-scheme: dark)");
  const switcher = document.getElementById("theme");
  let chosen = null;
  try { chosen = localStorage.getItem("distest-theme"); } catch { /* a page from a file may have no storage */ }
  const theme = (dark) => {
    root.dataset.theme = dark ? "dark" : "light";
    switcher.setAttribute("aria-pressed", String(dark));
    switcher.textContent = dark ? "Light" : "Dark";
    dress();
  };
  switcher.addEventListener("click", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("distest-theme", chosen); } catch { /* then it is forgotten */ }
    theme(chosen === "dark");
  });
  wanted.addEventListener("change", () => { if (!chosen) theme(wanted.matches); });

  // ---- tables
  const key = (row, column) => {
    const cell = row.cells[column];
    const raw = cell.dataset.value;
    if (raw === undefined) return null;
    return raw.trim() !== "" && !Number.isNaN(Number(raw)) ? Number(raw) : raw;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  for (const button of document.querySelectorAll("button.sort")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = head.closest("table").tBodies[0];
      const rows = [...body.rows].map((row) => [key(row, head.cellIndex), row]);
      rows.sort(([a], [b]) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : compare(a, b) * (down ? -1 : 1)));
      body.append(...rows.map(([, row]) => row));
    });
  }

  // ---- figures
  const state = {};
  const narrow = () => window.innerWidth < 736;
  const decades = (values) => {
    const found = values.flat().filter((value) => value > 0);
    return Math.log10(Math.max(...found) / Math.min(...found));
  };
  const axis = (described, values) => ({
    ...(described.log && { dtick: decades(values) > 3 ? 1 : decades(values) > 0.7 ? "D2" : "D1" }),
    title: { text: described.title, standoff: 8, font: { size: 13 } }, type: described.log ? "log" : "linear",
    gridcolor: css("--plot-grid"), linecolor: css("--soft"), showline: true, zeroline: false, ticks: "outside", ticklen: 4,
    tickcolor: css("--soft"), automargin: true, tickfont: { size: 11.5 }, minor: { ticks: "outside", ticklen: 2, tickcolor: css("--line") },
  });
  const layout = (view) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    margin: { l: 56, r: 14, t: 10, b: 46 }, dragmode: narrow() ? false : "zoom",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: css("--ink") },
    hoverlabel: { bgcolor: css("--raised"), bordercolor: css("--line"), align: "left", font: { color: css("--ink"), size: 12.5 } },
    xaxis: { ...axis(view.x, view.traces.map((trace) => trace.x)), exponentformat: "SI" }, yaxis: { ...axis(view.y, view.traces.map((trace) => trace.y)), exponentformat: "power" },
    shapes: view.shapes.map((line) => ({ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y", y0: line.y, y1: line.y, line: { color: css("--soft"), width: 1 } })),
    annotations: view.shapes.map((line) => ({ xref: "paper", x: 1, xanchor: "right", yref: "y", y: view.y.log ? Math.log10(line.y) : line.y, yanchor: "bottom", text: line.said, showarrow: false, font: { size: 11.5, color: css("--soft") } })),
  });
  const traced = (trace, hidden) => {
    const color = tone(trace.tone);
    const made = {
      type: "scatter", name: trace.name, x: trace.x, y: trace.y, mode: trace.mode, hovertemplate: trace.hovertemplate, visible: !hidden,
      line: { color, width: trace.dash ? 1.5 : 1.8, dash: trace.dash || "solid" }, marker: { color, size: 8, symbol: trace.symbol || "circle", line: { color, width: trace.symbol === "line-ew-open" ? 1.5 : 0 } },
    };
    if (trace.text) { made.text = trace.text; made.customdata = trace.commands; }
    if (trace.up) made.error_y = { type: "data", symmetric: false, array: trace.up, arrayminus: trace.down, color, thickness: 1.2, width: 3 };
    return made;
  };
  const humane = (n) => {
    const power = n < 1 ? 0 : Math.min(5, Math.floor(Math.log10(n) / 3));
    return `${Number((n / 1000 ** power).toPrecision(3))} ${["bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit"][power]}`;
  };
  const quiet = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: "reset" };
  const heat = (id, plot) => {
    const { parties, turns, bits } = figures[id].heat;
    const most = Math.max(...bits.flat());
    const height = Math.min(520, Math.max(104, 20 * parties.length + 64));
    plot.style.height = `${height}px`;
    const text = bits.map((row, r) => row.map((n, c) => `turn ${turns[c]}, ${parties[r] === "server" ? "the server" : `party ${parties[r]}`}<br>${n.toLocaleString("en")} bits`));
    const base = layout({ shapes: [], traces: [], x: { title: "turn", log: false }, y: { title: "party", log: false } });
    const category = { type: "category", showgrid: false, ticks: "", showline: false, minor: {} };
    Plotly.react(plot, [{
      type: "heatmap", z: bits, x: turns, y: parties, text, hovertemplate: "%{text}<extra></extra>", colorscale: "Cividis", reversescale: root.dataset.theme !== "dark",
      xgap: turns.length > 1 ? 1 : 0, ygap: 1, zauto: false, zmin: 0, zmax: most || 1,
      colorbar: { thickness: 10, outlinewidth: 0, tickvals: [0, most / 2, most], ticktext: ["0", humane(most / 2), humane(most)], len: 1.1 },
    }], { ...base, margin: { ...base.margin, t: 4 }, height, xaxis: { ...base.xaxis, ...category, nticks: narrow() ? 5 : 15 }, yaxis: { ...base.yaxis, ...category, autorange: "reversed" } }, quiet);
  };
  const draw = (id) => {
    library();
    const figure = document.getElementById(id);
    const plot = figure.querySelector(".plot");
    if (figures[id].heat) { heat(id, plot); return; }
    const now = (state[id] ??= { view: 0, hidden: new Set() });
    const view = figures[id].views[now.view];
    const off = new Set(figures[id].legend.flatMap((entry, number) => (now.hidden.has(number) ? entry.traces : [])));
    Plotly.react(plot, view.traces.map((trace, number) => traced(trace, off.has(number))), layout(view), quiet);
    if (now.drawn) return;
    now.drawn = true;
    plot.on("plotly_click", (event) => {
      const command = commands[event.points[0].customdata];
      if (command === undefined) return;
      const code = document.createElement("code");
      code.textContent = command;
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "copy", textContent: "copy" });
      button.dataset.copy = command;
      figure.querySelector(".picked").replaceChildren(button, code);
      copy(command);
    });
  };
  const swatches = () => {
    for (const swatch of document.querySelectorAll(".swatch")) {
      const color = tone(Number(swatch.dataset.tone));
      const dash = { dash: "5 3", dot: "2 2" }[swatch.dataset.dash] || "none";
      const glyph = GLYPHS[swatch.dataset.symbol];
      swatch.innerHTML = `<line x1="1" x2="25" y1="6" y2="6" stroke="${color}" stroke-width="1.8" stroke-dasharray="${dash}"/>${glyph ? `<path d="${glyph}" fill="${color}"/>` : ""}`;
    }
  };
  // plotly is most of the page: it is run before the first figure is drawn, when the rest can be read already
  function library() {
    if (window.Plotly) return;
    const script = document.createElement("script");
    script.textContent = document.getElementById("plotly").textContent;
    document.head.append(script);
  }
  // a figure is drawn when it comes near the window, one after another
  const drawn = new Set();
  let queue = [];
  const next = () => {
    const id = queue.shift();
    if (id !== undefined) draw(id);
    if (queue.length) setTimeout(next, 0); else root.dataset.ready = "true";
  };
  const enqueue = (ids) => {
    delete root.dataset.ready;
    if (queue.length === 0) setTimeout(next, 0);
    queue = [...new Set([...queue, ...ids])];
  };
  function dress() {
    swatches();
    enqueue(drawn);
  }
  const near = new IntersectionObserver((entries) => {
    const ids = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target.id).filter((id) => !drawn.has(id));
    ids.forEach((id) => drawn.add(id));
    enqueue(ids);
  }, { rootMargin: "100% 0px" });
  for (const figure of document.querySelectorAll("[data-figure]")) {
    const id = figure.id;
    near.observe(figure);
    figure.addEventListener("click", (event) => {
      const view = event.target.closest("button.view");
      const line = event.target.closest("button.line");
      if (!view && !line) return;
      const now = (state[id] ??= { view: 0, hidden: new Set() });
      if (view) {
        now.view = Number(view.dataset.view);
        for (const other of figure.querySelectorAll("button.view")) other.setAttribute("aria-pressed", String(other === view));
      } else {
        const number = Number(line.dataset.line);
        if (!now.hidden.delete(number)) now.hidden.add(number);
        line.setAttribute("aria-pressed", String(!now.hidden.has(number)));
      }
      draw(id);
    });
  }

  // ---- printing: always light, and as wide as the paper
  let before = null;
  const paper = (on) => {
    if (on) { before = root.dataset.theme; root.dataset.theme = "light"; } else { root.dataset.theme = before; }
    swatches();
    for (const id of Object.keys(figures)) {
      drawn.add(id);
      draw(id);
      const plot = document.getElementById(id).querySelector(".plot");
      const height = figures[id].heat ? {} : { height: on ? 350 : null };
      Plotly.relayout(plot, on ? { width: 660, autosize: false, ...height } : { width: null, autosize: true, ...height });
    }
  };
  window.addEventListener("beforeprint", () => paper(true));
  window.addEventListener("afterprint", () => paper(false));
  theme(chosen ? chosen === "dark" : wanted.matches);
})();
