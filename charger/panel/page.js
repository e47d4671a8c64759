// The page shows what GET /status says and asks again whenever GET /events tells that something happened, so there
// is one truth and nothing to keep in step. Ids of cards, infos and OCPP frames come from strangers: text
// enters the page through textContent only, pictures through the XML parser.
"use strict";

const SOONEST = 250; // ms between two questions for /status
const LATEST = 5000; // ms after which it is asked although nothing was heard
const STEPS = 100;   // lines in the log of steps
const LAMP = {blue: "#2f7dff", green: "#1fae53", red: "#e5352b", yellow: "#f5c518", white: "#ffffff"}; // others as CSS knows them

const page = document.getElementById.bind(document);

function fields(root) {
  return Object.fromEntries([...root.querySelectorAll("[data-f]")].map(element => [element.dataset.f, element]));
}

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function list(element, texts, decorate = () => {}) {
  const wanted = JSON.stringify(texts);
  if (element.dataset.shown === wanted) return;
  element.dataset.shown = wanted;
  element.replaceChildren(...texts.map((text, index) => {
    const item = make("li", "", text);
    decorate(item, index);
    return item;
  }));
}

// -- units -------------------------------------------------------------------------------------------

const clock = time => time ? new Date(time).toLocaleTimeString([], {hour12: false}) : "";

function power(watts) {
  return Math.abs(watts) < 1000 ? `${Math.round(watts)} W` : `${(watts / 1000).toFixed(1)} kW`;
}

function energy(wattHours) {
  return Math.abs(wattHours) < 1000 ? `${Math.round(wattHours)} Wh` : `${(wattHours / 1000).toFixed(2)} kWh`;
}

function duration(from, to) {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  if (!Number.isFinite(seconds)) return "–";
  const two = number => String(number).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${two(seconds % 60)}` : `${Math.floor(minutes / 60)} h ${two(minutes % 60)}`;
}

// -- pictures ----------------------------------------------------------------------------------------

const pictures = new Map(); // chart → promise of SVG text, null if there is none

function picture(chart) {
  if (!pictures.has(chart)) {
    const answer = fetch(`/diagrams/${encodeURIComponent(chart)}.svg`)
      .then(response => response.ok ? response.text() : null);
    answer.catch(() => pictures.delete(chart));
    pictures.set(chart, answer);
  }
  return pictures.get(chart);
}

function drawing(text) {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (root.localName !== "svg") return null;
  for (const script of [...root.querySelectorAll("script")]) script.remove();
  // The same picture may stand in several cards, and its ids are none of ours: they become data.
  for (const element of [root, ...root.querySelectorAll("[id]")]) {
    if (element.id.startsWith("state-")) {
      element.dataset.state = element.id.slice("state-".length);
      element.querySelector(":scope > :is(rect, path, polygon, ellipse)")?.classList.add("outline");
    }
    element.removeAttribute("id");
  }
  return document.importNode(root, true);
}

/** The charts of one scope: a button for each with its state, and the picture of the one that was chosen. */
class Charts {
  constructor(root, chosen) {
    this.chosen = chosen;
    this.charts = {};
    this.buttons = new Map();
    this.tabs = make("div", "tabs");
    this.frame = make("div", "picture");
    this.view = make("div", "view");
    this.size = make("button", "size");
    this.size.type = "button";
    this.size.addEventListener("click", () => this.enlarge(this.wish = !this.frame.classList.contains("large")));
    this.wish = null; // whether the reader wants it large; undecided until the button is pressed
    this.frame.append(this.view, this.size);
    root.append(this.tabs, this.frame);
    this.draw();
  }

  enlarge(large) {
    this.frame.classList.toggle("large", large);
    this.size.textContent = large ? "Fit" : "Enlarge";
    this.follow();
  }

  update(charts) {
    this.charts = charts;
    const names = Object.keys(charts);
    for (const [name, button] of this.buttons) {
      if (!names.includes(name)) {
        button.remove();
        this.buttons.delete(name);
      }
    }
    for (const name of names) {
      let button = this.buttons.get(name);
      if (!button) {
        button = make("button", "", name);
        button.type = "button";
        button.append(make("b"));
        button.addEventListener("click", () => this.choose(this.chosen === name ? null : name));
        this.buttons.set(name, button);
        this.tabs.append(button);
      }
      button.setAttribute("aria-pressed", String(name === this.chosen));
      write(button.lastChild, charts[name].state ?? "");
    }
    this.light();
  }

  choose(name) {
    this.chosen = name;
    this.update(this.charts);
    this.draw();
  }

  /** Fetch the picture anew or from memory. */
  async draw() {
    const name = this.chosen;
    this.frame.hidden = name === null;
    if (name === null) return;
    let text = null;
    try {
      text = await picture(name);
    } catch { /* the connection is lost; it is drawn again when it is back */ }
    if (name !== this.chosen || (text && text === this.text)) return;
    this.text = text;
    const svg = text && drawing(text);
    this.size.hidden = !svg;
    if (svg) {
      // Small charts are not blown up to the width of the card.
      svg.style.maxWidth = `calc(${parseFloat(svg.getAttribute("width")) || 800} * 1.3px)`;
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", `Chart ${name}`);
    }
    this.view.replaceChildren(svg || make("p", "none", `There is no picture of the chart ${name}.`));
    if (svg) this.enlarge(this.wish ?? this.illegible(svg));
    this.lit = null;
    this.light();
  }

  /** Whether the letters are too small when all of the picture is shown. */
  illegible(svg) {
    const {width, height} = svg.viewBox.baseVal;
    return Math.min(this.view.clientWidth / width, window.innerHeight * .78 / height) < .65;
  }

  light() {
    const path = this.charts[this.chosen]?.path ?? [];
    if (this.lit === path.join("/")) return;
    for (const state of this.view.querySelectorAll("[data-state]")) {
      state.classList.toggle("lit", path.includes(state.dataset.state));
      state.classList.toggle("leaf", path.at(-1) === state.dataset.state);
    }
    this.lit = path.join("/");
    this.follow();
  }

  /** Bring the active state into view when the picture is larger than its frame. */
  follow() {
    const leaf = this.view.querySelector(".leaf");
    if (!leaf || !this.frame.classList.contains("large")) return;
    const box = leaf.getBoundingClientRect();
    const view = this.view.getBoundingClientRect();
    this.view.scrollBy({
      left: box.left + box.width / 2 - view.left - view.width / 2,
      top: box.top + box.height / 2 - view.top - view.height / 2,
      behavior: "smooth",
    });
  }
}

// -- acts --------------------------------------------------------------------------------------------

let silence = 0;

function say(text) {
  clearTimeout(silence);
  page("toast").hidden = !text;
  page("toast").textContent = text;
  if (text) silence = setTimeout(say, 6000, "");
}

async function act(method, path, body) {
  try {
    const response = await fetch(path, {
      method,
      headers: {"Content-Type": "application/json"},
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = await response.json();
    say(response.ok ? "" : answer.error ?? `The station answered ${response.status}.`);
  } catch {
    say("The station does not answer.");
  }
}

function onFault(form, number) {
  const path = `/sim/connectors/${number}/fault`;
  form.addEventListener("submit", event => {
    event.preventDefault();
    const body = {error_code: form.elements.error_code.value};
    if (form.elements.info.value) body.info = form.elements.info.value;
    act("POST", path, body);
  });
  form.querySelector("[data-act=clear]").addEventListener("click", () => act("DELETE", path));
}

// -- the station and its connectors ------------------------------------------------------------------

function badge(element, status) {
  element.dataset.status = status ?? "";
  write(element, status ?? "–");
}

function pill(element, text, good) {
  write(element, text);
  element.classList.toggle("good", good);
  element.classList.toggle("bad", !good);
}

function faults(element, found) {
  list(element, (found ?? []).map(fault => {
    const code = fault.vendor_error_code ? `${fault.error_code} (${fault.vendor_error_code})` : fault.error_code;
    return [code, fault.info, fault.service && "waits for service"].filter(Boolean).join(": ");
  }));
}

/** What index.yaml declares for the station or a connector: inputs to switch, outputs to look at. */
class Pins {
  constructor(here, number) {
    this.here = here;
    this.place = number ? {connector: number} : {};
    this.boxes = new Map();
  }

  update({inputs = {}, outputs = {}}) {
    for (const [name, on] of Object.entries(inputs)) {
      if (!this.boxes.has(name)) this.boxes.set(name, this.add(name));
      this.boxes.get(name).checked = on;
    }
    write(this.here.outputs, Object.entries(outputs).map(([name, state]) => `${name} ${state}`).join(", ") || "none");
  }

  add(name) {
    const label = make("label"), box = make("input");
    box.type = "checkbox";
    box.dataset.input = name;
    box.addEventListener("change", () => act("POST", "/sim/input", {name, on: box.checked, ...this.place}));
    label.append(box, ` ${name}`);
    this.here.inputs.append(label);
    return box;
  }
}

class Station {
  constructor() {
    this.top = fields(page("top"));
    this.here = fields(page("station"));
    this.charts = new Charts(this.here.charts, null);
    this.pins = new Pins(this.here, 0);
    this.swipe = page("station").querySelector("[data-act=swipe]");
    this.swipe.addEventListener("submit", event => {
      event.preventDefault();
      const body = {id_tag: this.swipe.elements.id_tag.value};
      if (this.swipe.elements.connector.value) body.connector = Number(this.swipe.elements.connector.value);
      act("POST", "/sim/swipe", body);
    });
    onFault(page("station").querySelector("[data-act=fault]"), 0);
  }

  update(status) {
    document.title = `${status.id} – ${status.status}`;
    write(this.top.id, status.id);
    write(this.top.product, [status.vendor, status.model, status.version].filter(Boolean).join(" · "));
    pill(this.top.link, `Link ${status.link.state}`, status.link.state === "Up");
    pill(this.top.registration, status.registration ?? "not registered", status.registration === "Accepted");
    badge(this.top.status, status.status);
    write(this.here.display, status.display ?? "");
    write(this.here.url, status.link.url ?? "");
    const {waiting, transmissions} = status.queue;
    write(this.here.queue, transmissions ? `${waiting}, the first one sent ${transmissions} times` : String(waiting));
    write(this.here.time, new Date(status.time).toLocaleString());
    faults(this.here.faults, status.faults);
    this.charts.update(status.charts);
    this.pins.update(status);
    const readers = this.swipe.elements.connector;
    if (readers.options.length === 1 && status.connectors.length > 1) {
      readers.append(...status.connectors.map(({number}) => new Option(`connector ${number}`, number)));
      readers.hidden = false;
    }
  }
}

class Connector {
  constructor(number) {
    const card = page("connector").content.cloneNode(true).firstElementChild;
    page("connectors").append(card);
    this.here = fields(card);
    this.charts = new Charts(this.here.charts, "connector");
    this.pins = new Pins(this.here, number);
    this.button = Object.fromEntries([...card.querySelectorAll("[data-act]")].map(e => [e.dataset.act, e]));
    const path = `/sim/connectors/${number}`;
    const {plug, unplug, ready, suspended, lock, fault} = this.button;
    plug.addEventListener("click", () => act("POST", `${path}/plug`));
    unplug.addEventListener("click", () => act("POST", `${path}/unplug`));
    ready.addEventListener("click", () => act("POST", `${path}/ev`, {state: "ready"}));
    suspended.addEventListener("click", () => act("POST", `${path}/ev`, {state: "suspended"}));
    lock.addEventListener("change", () => act("POST", `${path}/lock`, {fail: lock.checked}));
    onFault(fault, number);
  }

  update(status, now) {
    const {transaction, meter, cable} = status;
    write(this.here.number, String(status.number));
    badge(this.here.status, status.status);
    write(this.here.power, power(meter.power_w));
    write(this.here.energy, transaction ? energy(transaction.energy_wh) : "–");
    write(this.here.duration, transaction ? duration(transaction.started, now) : "–");
    write(this.here.offer, status.offer_amps == null ? "–" : `${status.offer_amps} A`);
    write(this.here.transaction, transaction
      ? `${transaction.id ?? "not numbered yet"} · ${transaction.id_tag} · since ${clock(transaction.started)}` : "none");
    write(this.here.cable, (cable.present ? "plugged in" : "not plugged in") + (cable.fixed ? " (fixed cable)" : ""));
    write(this.here.ev, {ready: "wants energy", suspended: "pauses"}[status.ev] ?? "none");
    write(this.here.contactor, status.contactor ?? "–");
    write(this.here.lock, cable.fixed ? "none" : status.lock ?? "–");
    write(this.here.meter, `${(meter.energy_wh / 1000).toFixed(3)} kWh`);
    this.shine(status.light ?? "");
    const interlocks = Object.entries(status.interlocks ?? {});
    list(this.here.interlocks, interlocks.map(([name]) => name));
    interlocks.forEach(([, holds], index) => this.here.interlocks.children[index].classList.toggle("broken", !holds));
    faults(this.here.faults, status.faults);
    this.here.lockfail.hidden = cable.fixed;
    this.button.plug.setAttribute("aria-pressed", String(cable.present));
    this.button.unplug.setAttribute("aria-pressed", String(!cable.present));
    this.button.ready.setAttribute("aria-pressed", String(status.ev === "ready"));
    this.button.suspended.setAttribute("aria-pressed", String(status.ev === "suspended"));
    this.charts.update(status.charts);
    this.pins.update(status);
  }

  /** "blue breathing", "red blinking 200ms", "off" */
  shine(look) {
    write(this.here.light, look || "–");
    if (this.look === look) return;
    this.look = look;
    const [colour, pattern, period] = look.split(" ");
    const lamp = this.here.lamp;
    lamp.className = ["lamp", pattern].filter(word => /^[a-z]+$/.test(word ?? "")).join(" ");
    lamp.style.backgroundColor = lamp.style.color = colour === "off" ? "" : LAMP[colour] ?? colour;
    lamp.style.animationDuration = period ?? "";
    lamp.setAttribute("aria-label", `Lamp ${look}`);
    lamp.title = `Lamp: ${look}`;
  }
}

const station = new Station();
const connectors = new Map();

function show(status) {
  station.update(status);
  for (const one of status.connectors) {
    if (!connectors.has(one.number)) connectors.set(one.number, new Connector(one.number));
    connectors.get(one.number).update(one, status.time);
  }
  for (const acts of document.querySelectorAll("[data-sim]")) acts.hidden = !status.simulated;
  showFrames(status.frames);
}

// -- logs --------------------------------------------------------------------------------------------

function prepend(log, className, parts, more) {
  const item = make("li", className);
  const line = make(more ? "summary" : "div", "line");
  line.append(...parts);
  if (more) {
    const details = make("details");
    details.append(line, make("pre", "", more));
    item.append(details);
  } else {
    item.append(line);
  }
  log.querySelector(".empty")?.remove();
  log.prepend(item);
  return item;
}

let repeated = {};

function showStep(step) {
  const moves = (step.moves ?? []).map(move => {
    const where = move.connector == null || move.connector === step.connector ? "" : ` ${move.connector}`;
    return `${move.chart}${where}: ${move.from} → ${move.to}`;
  }).join(", ");
  const name = step.connector == null ? step.event : `${step.event} (${step.connector})`;
  const commands = (step.commands ?? []).join("\n");
  // Meter samples come every few seconds and mostly change nothing: one line for all of them.
  if (!moves && repeated.name === name) {
    repeated.times += 1;
    repeated.time.textContent = clock(step.time);
    repeated.rest.textContent = `× ${repeated.times}`;
    return;
  }
  const time = make("time", "", clock(step.time));
  const rest = make("span", "rest", moves);
  prepend(page("steps"), "", [time, make("b", "", name), rest], commands);
  repeated = moves ? {} : {name, time, rest, times: 1};
  while (page("steps").children.length > STEPS) page("steps").lastChild.remove();
}

const asked = new Map(); // direction and id of a CALL → its action, to name the answer
let newest = null;

function showFrames(frames) {
  const same = frame => frame.time === newest?.time && frame.text === newest?.text && frame.direction === newest?.direction;
  const known = newest ? frames.findLastIndex(same) : -1;
  for (const frame of frames.slice(known + 1)) showFrame(frame);
  newest = frames.at(-1) ?? newest;
  while (page("frames").children.length > Math.max(frames.length, 1)) page("frames").lastChild.remove();
}

function showFrame({direction, text, time}) {
  let title = "not OCPP", rest = text, more = text, className = direction === "out" ? "out" : "in";
  try {
    const [type, id, ...parts] = JSON.parse(text);
    const [ours, theirs] = direction === "out" ? ["out", "in"] : ["in", "out"];
    if (type === 2) {
      title = String(parts[0]);
      asked.set(ours + id, title);
      if (asked.size > 200) asked.delete(asked.keys().next().value);
    } else {
      title = `${asked.get(theirs + id) ?? "?"} ${type === 3 ? "answered" : "refused"}`;
      if (type !== 3) className += " error";
    }
    rest = JSON.stringify(type === 2 ? parts[1] : type === 3 ? parts[0] : parts);
    more = JSON.stringify(JSON.parse(text), null, 2);
  } catch { /* shown as it is */ }
  const arrow = make("span", "arrow", direction === "out" ? "↑" : "↓");
  prepend(page("frames"), className, [make("time", "", clock(time)), arrow, make("b", "", title), make("span", "rest", rest)], more);
}

// -- keeping up --------------------------------------------------------------------------------------

let timer = 0, asking = false, askAgain = false, lastAsked = -Infinity;

/** Ask for /status soon: at once when it is long ago, never twice at a time. */
function refresh() {
  if (asking) { askAgain = true; return; }
  clearTimeout(timer);
  timer = setTimeout(ask, Math.max(0, lastAsked + SOONEST - performance.now()));
}

async function ask() {
  asking = true;
  askAgain = false;
  lastAsked = performance.now();
  try {
    const response = await fetch("/status");
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(await response.json());
    lost(false);
  } catch (error) {
    console.error(error);
    lost(true);
  } finally {
    asking = false;
    clearTimeout(timer);
    if (askAgain) refresh();
    else if (!document.hidden) timer = setTimeout(ask, LATEST);
  }
}

function lost(yes) {
  page("lost").hidden = !yes;
  document.body.classList.toggle("lost", yes);
}

let stream = null, again = 0;

function listen() {
  stream?.close();
  clearTimeout(again);
  stream = new EventSource("/events");
  stream.addEventListener("open", () => {
    // The station may have been started anew, with other charts.
    pictures.clear();
    for (const {charts} of [station, ...connectors.values()]) charts.draw();
    refresh();
  });
  stream.addEventListener("step", event => {
    showStep(JSON.parse(event.data));
    refresh();
  });
  stream.addEventListener("frame", refresh);
  stream.addEventListener("resync", () => {
    showStep({time: new Date().toISOString(), event: "some steps were lost: this page was too slow"});
    refresh();
  });
  stream.addEventListener("error", () => {
    lost(true);
    // A browser tries again by itself, but not after an answer that it takes for final.
    if (stream.readyState === EventSource.CLOSED) again = setTimeout(listen, 3000);
  });
}

// A page that nobody sees gives its connection back: a browser has six for one address.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream?.close();
    clearTimeout(again);
    clearTimeout(timer);
  } else {
    listen();
  }
});

// The token now is in a cookie; it need not stay in the address bar.
if (location.search) history.replaceState(null, "", "/");
listen();
refresh();
