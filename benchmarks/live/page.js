// The live page: asks the endpoint each second what has happened since, and draws it. Plain JavaScript, because it runs in browsers.
import uPlot from "uplot";
import "./page.css";

/** Seconds that the figures of the window are of. */
const WINDOW = 10;
/** Seconds that the plots reach back. */
const SHOWN = 600;

const at = (id) => document.getElementById(id);
/** After the `#`, which no browser sends to a server. */
const token = new URLSearchParams(location.hash.slice(1)).get("token");
/** What happened in each second, in order of time. */
let ticks = [];

const mean = (values) => (values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
const short = (value) => (value === null ? "–" : String(Number(value.toPrecision(4))));

/** Rows of figures: what they are in the last second, and over a window of seconds. */
const figures = [
  ["requested, requests/s", (tick) => tick.requestedRate, (all) => mean(all.flatMap((t) => t.requestedRate ?? []))],
  ["achieved, requests/s", (tick) => tick.requestsPerSecond, (all) => mean(all.map((t) => t.requestsPerSecond))],
  ["p50, ms", (tick) => tick.p50Ms, (all) => mean(all.map((t) => t.p50Ms)), "mean of its seconds"],
  ["p99, ms", (tick) => tick.p99Ms, (all) => Math.max(...all.map((t) => t.p99Ms)), "of its slowest second"],
  ["failed", (tick, before) => tick.failed - before.failed, (all, before) => all.at(-1).failed - before.failed],
  ["in flight", (tick) => tick.inFlight, (all) => Math.max(...all.map((t) => t.inFlight)), "at most"],
];

const charts = [
  chart("Rate, requests/s", [
    ["requested", "#d55e00", (tick) => tick.requestedRate],
    ["achieved", "#0072b2", (tick) => tick.requestsPerSecond],
  ]),
  chart("Latency, ms", [
    ["p50", "#0072b2", (tick) => tick.p50Ms],
    ["p99", "#d55e00", (tick) => tick.p99Ms],
  ]),
  chart("In flight", [["in flight", "#009e73", (tick) => tick.inFlight]]),
  chart("Failed", [["failed", "#cc0000", (tick, before) => tick.failed - (before?.failed ?? 0)]]),
];

function chart(title, series) {
  const section = document.createElement("section");
  const heading = document.createElement("h2");
  heading.textContent = title;
  section.append(heading);
  at("charts").append(section);
  const size = () => ({ width: section.clientWidth, height: 190 });
  const plot = new uPlot(
    {
      ...size(),
      scales: { x: { time: false }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
      axes: [{ label: "s", labelSize: 14, size: 34 }, { size: 56 }],
      series: [{ label: "s" }, ...series.map(([label, stroke]) => ({ label, stroke, width: 1.5, spanGaps: false }))],
    },
    [[], ...series.map(() => [])],
    section,
  );
  addEventListener("resize", () => plot.setSize(size()));
  return () => {
    const shown = ticks.slice(-SHOWN);
    const first = ticks.length - shown.length;
    const values = series.map(([, , of]) => shown.map((tick, i) => of(tick, ticks[first + i - 1])));
    plot.setData([shown.map(({ seconds }) => seconds), ...values]);
  };
}

function draw({ phase, load, isRateOpen }) {
  at("load").textContent = load;
  at("phase").textContent = phase;
  at("form").hidden = !(isRateOpen && token);
  at("readonly").hidden = !isRateOpen || Boolean(token);
  const last = ticks.at(-1);
  if (!last) return;
  at("clock").textContent = `, ${Math.round(last.seconds)} s`;
  at("window").textContent = `${Math.min(WINDOW, ticks.length)} s`;
  const zero = { failed: 0 };
  const all = ticks.slice(-WINDOW);
  const rows = figures.map(([name, one, several, how]) => {
    const row = document.createElement("tr");
    const values = [one(last, ticks.at(-2) ?? zero), several(all, ticks.at(-all.length - 1) ?? zero)];
    for (const text of [name, ...values.map(short)]) row.insertCell().textContent = text;
    if (how) row.insertCell().textContent = how;
    for (const i of [0, 1]) if (name === "failed" && values[i] > 0) row.cells[i + 1].className = "bad";
    return row;
  });
  at("figures").replaceChildren(...rows);
  if (document.activeElement !== at("rate") && last.requestedRate !== null)
    at("rate").placeholder = short(last.requestedRate);
  for (const redraw of charts) redraw();
}

async function look() {
  const after = ticks.at(-1)?.seconds;
  const answer = await fetch(`ticks${after === undefined ? "" : `?after=${after}`}`);
  const news = await answer.json();
  if (!answer.ok) throw new Error(news.error);
  ticks = [...ticks, ...news.ticks].slice(-3600);
  draw(news);
}

async function setRate(event) {
  event.preventDefault();
  const rate = Number(at("rate").value);
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch("rate", { method: "PUT", headers, body: JSON.stringify({ rate }) }).catch(() => null);
  const said = await answer?.json();
  at("said").textContent = answer?.ok
    ? `${said.rate}/s from ${said.effectiveAt.slice(11, 19)} UTC`
    : (said?.error ?? "no answer");
}

at("form").addEventListener("submit", setRate);
let misses = 0;
async function loop() {
  try {
    await look();
    misses = 0;
  } catch {
    // The endpoint closes when the run has ended; what it said last stays.
    if (++misses > 2) at("phase").textContent = ticks.length > 0 ? "ended" : "no connection";
  }
  setTimeout(loop, 1000);
}
loop();
