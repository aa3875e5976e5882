// Keeps one connection to the monitor and shows what changes.

import { Chart } from "./chart.js";
import { mark, say } from "./dom.js";
import { Page } from "./sections.js";

const RETRY_MS = 3000;
const page = new Page();
const chart = new Chart(document.querySelector("#chart"));
const link = document.querySelector("#link");
const model = {};
let changed = new Set();
let scheduled = false;

function connection(state, words) {
  say(link, words);
  mark(link, "data-state", state);
  mark(document.body, "data-link", state);
}

function draw() {
  scheduled = false;
  const names = changed;
  changed = new Set();
  if (!model.now) return;
  page.show(model, names);
  if (names.has("chart")) chart.show(model.chart);
}

function listen() {
  const stream = new EventSource("/api/v1/events");
  stream.addEventListener("open", () => connection("live", "Live"));
  stream.addEventListener("update", (event) => {
    for (const [name, value] of Object.entries(JSON.parse(event.data))) {
      model[name] = value;
      changed.add(name);
    }
    if (!scheduled) {
      scheduled = true;
      requestAnimationFrame(draw);
    }
  });
  stream.addEventListener("error", () => {
    connection("lost", "Not connected: what is shown may be old");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
  });
}

listen();
