// The sections of the page: each takes the part of the model that it shows.

import { Rows, h, mark, say } from "./dom.js";
import { brief, instant, percent, span, usd } from "./format.js";
import { Decision, Position, Source, Tier, Trigger, clock } from "./rows.js";

const find = (selector) => document.querySelector(selector);
const FAR = -0.6; // quiet triggers farther than this are folded away once there are many
const SHOWN_AT_LEAST = 6;

// --- the strip ----------------------------------------------------------------------------------------------------------

const SIGHT = { clear: "Yes", partly: "Partly", blind: "No", starting: "Starting" };

class Figure {
  constructor() {
    this.name = h("dt");
    this.value = h("dd", { class: "value" });
    this.means = h("dd", { class: "means" });
    this.element = h("div", {}, this.name, this.value, this.means);
  }

  show(figure) {
    say(this.name, figure.name);
    say(this.value, figure.value);
    say(this.means, figure.means);
    mark(this.element, "data-tone", figure.tone);
  }
}

class Sentence {
  constructor() {
    this.element = h("li");
  }

  show({ sentence }) {
    say(this.element, sentence);
  }
}

function figures(model) {
  const { book, sight } = model;
  const shown = [{ name: "Can it see?", value: SIGHT[sight.state], means: `${sight.sources_up} of ${sight.sources} sources heard`, tone: sight.state }];
  if (book.equity_usd !== undefined) shown.push({ name: "Equity", value: usd(book.equity_usd), means: "what closing it all would bring" });
  else if (book.unvalued) shown.push({ name: "Equity", value: "not known", means: `no value for ${book.unvalued.join(", ")}`, tone: "partly" });
  const deltas = Object.entries(book.net_delta_usd ?? {}).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  for (const [asset, value] of deltas.slice(0, 2)) {
    const per = value < 0 ? "gains" : "loses";
    const partly = book.unvalued ? `of ${book.positions - book.unvalued.length} of ${book.positions} positions; ` : "";
    shown.push({ name: `Net delta, ${asset}`, value: usd(value), means: `${partly}${per} ${usd(Math.abs(value) / 100)} per 1% fall` });
  }
  const stress = book.risk?.stress;
  if (stress) {
    shown.push({ name: "A bad week", value: usd(-stress.protected_loss_usd), means: `${moves(stress.moves) || "stablecoins stay"}: ${stress.sigmas} weekly sigmas` });
  }
  const crash = book.risk?.scenario;
  if (crash) shown.push({ name: "A crash day", value: usd(-crash.es_99_usd), means: crash.worst });
  if (book.protected_ratio !== undefined) {
    const means = "of what would lose; your own shorts and options are in the delta";
    shown.push({ name: "Protected by layers", value: percent(book.protected_ratio, 0), means });
  }
  if (book.regime !== undefined) shown.push({ name: "Regime", value: book.regime, means: "of volatility" });
  if (book.session) shown.push({ name: "Room today", value: usd(book.session.left_usd), means: `of ${usd(book.session.cap_usd)} for new layers` });
  return shown;
}

// The two largest moves of a stress, such as "BTC -8%, ETH -12%".
function moves(by) {
  const largest = Object.entries(by).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 2);
  return largest.map(([asset, move]) => `${asset} ${percent(move, 0)}`).join(", ");
}

// --- folding ------------------------------------------------------------------------------------------------------------

function fold(triggers) {
  const near = [];
  const far = [];
  for (const trigger of triggers) {
    const away = trigger.verdict === "NOT_CONFIGURED" || (trigger.verdict === "QUIET" && !trigger.episode && (trigger.distance ?? -1) < FAR);
    (away && (trigger.verdict === "NOT_CONFIGURED" || near.length >= SHOWN_AT_LEAST) ? far : near).push(trigger);
  }
  return [near, far];
}

function rungs(model) {
  const refused = (model.held ?? []).map((held) => ({ ...held, state: "refused" }));
  return model.ladder.map((tier) => ({
    ...tier,
    items: [...model.layers.filter((l) => l.live && l.tier === tier.tier), ...refused.filter((l) => l.tier === tier.tier)],
  }));
}

// --- the page -----------------------------------------------------------------------------------------------------------

export class Page {
  constructor() {
    const rows = (selector, key, make) => new Rows(find(selector), key, make);
    this.strip = rows("#strip", (f) => f.name, () => new Figure());
    const key = (t) => `${t.rule}/${t.subject}`;
    this.near = rows("#triggers > .rows", key, () => new Trigger());
    this.far = rows("#triggers .more .rows", key, () => new Trigger());
    this.tiers = rows("#ladder .rows", (t) => t.tier, () => new Tier());
    this.risk = rows("#book .says", (s) => s.sentence, () => new Sentence());
    this.positions = rows("#book .rows", (p) => p.id, () => new Position());
    this.decisions = rows("#decisions .rows", (d) => d.number, (d) => new Decision(d));
    this.sources = rows("#sources .rows", (s) => s.id, () => new Source());
  }

  show(model, changed) {
    Object.assign(clock, { now: model.now.at, command: model.now.command });
    const any = (...names) => names.some((name) => changed.has(name));
    if (any("now")) this.time(model.now);
    if (any("headline")) say(find("#headline"), model.headline);
    if (any("headline", "triggers")) this.tab(model.triggers);
    if (any("book", "sight")) this.strip.show(figures(model));
    if (any("triggers", "now")) this.triggers(model.triggers);
    if (any("ladder", "layers", "held", "now")) this.tiers.show(rungs(model));
    if (any("positions")) {
      find("#book").hidden = !model.positions.length;
      this.positions.show(model.positions);
    }
    if (any("book")) this.risk.show((model.book.says ?? []).map((sentence) => ({ sentence })));
    if (any("decisions")) {
      find("#decisions").hidden = !model.decisions.length;
      this.decisions.show(model.decisions);
    }
    if (any("sources")) {
      find("#sources").hidden = !model.sources.length;
      this.sources.show(model.sources);
    }
  }

  time(now) {
    const shown = find("#clock");
    say(shown, instant(now.at));
    mark(shown, "datetime", new Date(now.at).toISOString());
    const notice = find("#notice");
    notice.hidden = !now.notice;
    say(notice, now.notice);
    const story = find("#story");
    story.hidden = !now.story;
    if (now.story) {
      story.querySelector("i").style.setProperty("inline-size", `${(100 * now.story.done).toFixed(2)}%`);
      const hours = now.story.speed / 3600;
      const speed = hours >= 1 ? `${hours.toFixed(hours < 10 ? 1 : 0)} hours pass each second` : `at ${now.story.speed} times the speed of life`;
      const days = (ms) => Math.ceil(ms / 86400000);
      const day = Math.max(1, Math.min(days(now.at - now.story.from_ms), days(now.story.to_ms - now.story.from_ms)));
      const where = now.story.done >= 1 ? "the story is told" : `day ${day} of ${days(now.story.to_ms - now.story.from_ms)}, ${speed}`;
      say(story.querySelector("p"), now.story.title ? `${now.story.title}: ${where}` : where);
    }
    say(find("#about"), `Version ${now.version}, rule set ${now.rule_set}, up ${span((now.wall - now.started_at) / 1000)}.`);
  }

  tab(triggers) {
    const fired = triggers.filter((t) => t.verdict === "FIRED").length;
    document.title = fired ? `(${fired}) Hedge monitor` : "Hedge monitor";
  }

  triggers(triggers) {
    const [near, far] = fold(triggers);
    this.near.show(near);
    this.far.show(far);
    const more = find("#triggers .more");
    more.hidden = !far.length;
    say(more.querySelector("summary"), `${far.length} more, quiet and far from firing or not set up`);
  }
}

export { brief };
