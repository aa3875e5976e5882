// One row of each kind. A row is {element, show(item)}; `now` is read from the shared clock.

import { Disclosure, Rows, h, mark, say } from "./dom.js";
import { ago, brief, evidenceValue, inUnit, instant, instrument, number, percent, span, usd } from "./format.js";

export const clock = { now: 0, command: "hedge-monitor" };

const VERDICTS = { FIRED: "Fired", QUIET: "Quiet", UNKNOWN: "Cannot be judged", NOT_CONFIGURED: "Not set up" };
const FLAGS = { FIRED: "yes", QUIET: "not now", UNKNOWN: "cannot be judged", NOT_CONFIGURED: "not set up" };
const THRESHOLD_AT = 0.7; // where on a bar the threshold stands; what lies beyond has fired
const METRICS = { "tvl.usd": "TVL", "macro.cpi": "CPI level", "macro.ppi": "PPI level", "funding.rate": "Funding", "perp.mark": "Mark price" };

// --- bars ---------------------------------------------------------------------------------------------------------------

class Bar {
  constructor(small = false) {
    this.fill = h("i");
    this.element = h("div", { class: small ? "track small" : "track", "aria-hidden": "true" }, this.fill, h("b"));
  }

  show(judged) {
    const d = judged.distance;
    mark(this.element, "data-verdict", judged.verdict);
    mark(this.element, "data-near", judged.verdict === "QUIET" && d !== undefined && d > -0.25);
    const share = d === undefined ? 0 : d < 0 ? THRESHOLD_AT * Math.max(0.02, 1 + d) : THRESHOLD_AT + (1 - THRESHOLD_AT) * (d / (d + 0.6));
    this.fill.style.setProperty("inline-size", `${(100 * Math.min(1, Math.max(0.014, share))).toFixed(1)}%`);
  }
}

function compared(judged) {
  if (judged.value === undefined) return "";
  const at = judged.threshold === undefined ? "" : `, fires at ${inUnit(judged.threshold, judged.unit)}`;
  return inUnit(judged.value, judged.unit) + at;
}

function way(judged) {
  if (judged.distance === undefined || judged.verdict !== "QUIET") return "";
  return judged.distance <= -1 ? "far from firing" : `${Math.floor(100 * (1 + judged.distance))}% of the way`;
}

// --- evidence and gates -------------------------------------------------------------------------------------------------

export function evidenceTable(points) {
  if (!points?.length) return null;
  const rows = points.map((p) =>
    h("tr", {},
      h("td", {}, METRICS[p.metric] ?? p.metric, " ", h("span", { class: "soft" }, p.subject)),
      h("td", { class: "figure", title: p.unit }, evidenceValue(p)),
      h("td", { class: "soft" }, p.source),
      h("td", { class: "soft", title: `known ${instant(p.known_at)}${p.block_hash ? `, block ${p.block_hash}` : ""}` }, brief(p.at))));
  const head = h("tr", {}, h("th", {}, "Evidence"), h("th", { class: "figure" }, "Value"), h("th", {}, "Source"), h("th", {}, "As of, UTC"));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, head), h("tbody", {}, rows)));
}

const OUTCOMES = { pass: "passed", halve: "halved it", cut: "cut it", block: "blocked it" };

export function gateList(gates) {
  if (!gates?.length) return null;
  const built = gates.filter((g) => g.outcome !== "not_built");
  const missing = gates.filter((g) => g.outcome === "not_built").map((g) => g.gate);
  return h("div", { class: "gates" },
    h("h4", {}, "Gates"),
    h("ul", {}, built.map((g) => h("li", { "data-outcome": g.outcome },
      h("span", { class: "gate" }, g.gate), " ", h("span", { class: "outcome" }, OUTCOMES[g.outcome] ?? g.outcome), h("span", { class: "soft" }, ` ${g.reason ?? ""}`)))),
    missing.length ? h("p", { class: "soft" }, `Not built yet, so not asked: ${missing.join(", ")}.`) : null);
}

export function legList(conditions) {
  if (!conditions?.length) return null;
  return h("ul", { class: "reasons" }, conditions.map((c) =>
    h("li", { "data-verdict": c.verdict }, h("span", { class: "outcome" }, VERDICTS[c.verdict]), h("span", {}, ` ${c.reason || c.name}`))));
}

// --- triggers -----------------------------------------------------------------------------------------------------------

class Leg {
  constructor() {
    this.name = h("span", { class: "leg-name" });
    this.bar = new Bar(true);
    this.value = h("span", { class: "figure" });
    this.element = h("li", {}, this.name, this.bar.element, this.value);
  }

  show(leg) {
    say(this.name, leg.name);
    this.bar.show(leg);
    this.bar.element.style.visibility = leg.distance === undefined ? "hidden" : "";
    const at = leg.threshold === undefined ? "" : `, threshold ${inUnit(leg.threshold, leg.unit)}`;
    say(this.value, leg.value === undefined ? FLAGS[leg.verdict] : inUnit(leg.value, leg.unit) + at);
    mark(this.element, "data-verdict", leg.verdict);
    mark(this.element, "title", leg.reason);
  }
}

export class Trigger {
  constructor() {
    this.title = h("span", { class: "title" });
    this.verdict = h("span", { class: "verdict" });
    this.who = h("span", { class: "who" });
    this.bar = new Bar();
    this.value = h("span", { class: "figure" });
    this.way = h("span", { class: "soft" });
    this.legs = h("ul", { class: "legs", "aria-label": "legs" });
    this.legRows = new Rows(this.legs, (leg) => leg.name, () => new Leg());
    const summary = h("div", {},
      h("div", { class: "line" }, this.title, this.verdict),
      this.who, this.bar.element,
      h("div", { class: "line under" }, this.value, this.way));
    this.disclosure = new Disclosure(summary, inside);
    this.element = h("article", { class: "trigger" }, this.disclosure.element, this.legs);
  }

  show(trigger) {
    mark(this.element, "data-verdict", trigger.verdict);
    say(this.title, trigger.title || trigger.rule);
    say(this.who, `${trigger.rule} · ${trigger.subject}`);
    const since = trigger.episode ? ` for ${span((clock.now - trigger.episode.open_since) / 1000)}` : "";
    say(this.verdict, trigger.verdict === "FIRED" ? `Fired${since}` : trigger.verdict === "QUIET" && since ? `Easing, not over${since}` : VERDICTS[trigger.verdict]);
    this.bar.show(trigger);
    say(this.value, trigger.verdict === "UNKNOWN" || trigger.verdict === "NOT_CONFIGURED" ? trigger.reason : compared(trigger));
    say(this.way, trigger.verdict === "FIRED" && !trigger.proposes ? "a vote: asks for no layer by itself" : way(trigger));
    const legs = trigger.conditions.length > 1 ? trigger.conditions : [];
    this.legRows.show(legs);
    this.legs.hidden = !legs.length;
    this.disclosure.show({ ...trigger, evidence: trigger.evidence.map(({ age_seconds, ...rest }) => rest) });
  }
}

function inside(trigger) {
  const exposed = trigger.exposed.length ? `Exposed: ${trigger.exposed.join(", ")}.` : "No position is exposed.";
  const does = trigger.proposes ? "It asks for a layer when it fires." : "It votes and warns; it asks for no layer itself.";
  return [
    trigger.conditions.length ? legList(trigger.conditions) : h("p", {}, trigger.reason),
    h("p", { class: "soft" }, `${exposed} ${does}`),
    evidenceTable(trigger.evidence),
  ];
}

// --- layers -------------------------------------------------------------------------------------------------------------

class Layer {
  constructor() {
    this.what = h("span", { class: "what" });
    this.amount = h("span", { class: "figure" });
    this.state = h("span", { class: "state" });
    this.note = h("span", { class: "soft" });
    const summary = h("div", {},
      h("div", { class: "line" }, this.what, this.amount),
      h("div", { class: "line under" }, this.state, this.note));
    this.disclosure = new Disclosure(summary, layerInside, "layer");
    this.element = this.disclosure.element;
  }

  show(layer) {
    mark(this.element, "data-state", layer.state);
    const on = layer.asset ? ` on ${layer.asset}` : "";
    say(this.what, `${layer.instrument ? instrument(layer.instrument) + on : "A layer"} for ${layer.position}`);
    say(this.amount, layer.notional_usd === undefined ? "" : usd(layer.notional_usd));
    say(this.state, layer.state === "refused" ? "Refused" : layer.state);
    say(this.note, note(layer));
    this.disclosure.show({ ...layer, evidence: layer.evidence.map(({ age_seconds, ...rest }) => rest) });
  }
}

function note(layer) {
  if (layer.state === "refused") return layer.reason;
  if (layer.state === "proposed" && layer.valid_until) {
    const age = span(Math.max(0, (clock.now - layer.proposed_at) / 1000));
    return `approve it or let it be · ${age} ago, quoted anew each hour · ties up ${usd(layer.capital_usd)}`;
  }
  return layer.by ? `by ${layer.by}` : "";
}

function offset({ loss_offset: share, loss_usd: loss }) {
  return `${share < 0 ? "adds" : "makes good"} ${number(Math.round(100 * Math.abs(share)))}% ${share < 0 ? "to" : "of"} an impermanent loss of ${usd(-loss)}`;
}

// What it would do, a path each, and where the position breaks even with it.
function returns(found) {
  if (!found) return [];
  const paths = found.paths.map((path) => [
    path.sigmas === 0 ? "If nothing moves" : `At ${number(path.sigmas)} sigma`,
    `the layer ${path.layer_usd < 0 ? "loses" : "gains"} ${usd(Math.abs(path.layer_usd))}, `
      + `with its position ${path.hedged_usd < 0 ? "it loses" : "it gains"} ${usd(Math.abs(path.hedged_usd))} (${percent(path.hedged_return)}) in a week`
      + (path.loss_offset === undefined ? "" : `; the layer ${offset(path)}`),
  ]);
  const { alone, with_cost: hedged } = found.break_even;
  const at = (prices) => (prices.length ? prices.map(usd).join(" and ") : "at no price near");
  return [...paths, ["Breaks even in a week", `${at(alone.prices_usd)} alone, ${at(hedged.prices_usd)} with the layer and its cost`]];
}

function layerInside(layer) {
  const facts = [
    ["To approve", layer.state === "proposed" ? `${clock.command} layers approve ${layer.id}` : null],
    ["Id", layer.id],
    ["Asked for by", `${layer.rule}, ${layer.subject}`],
    ["Protects", layer.notional_usd === undefined ? null : `${usd(layer.notional_usd)} of ${usd(layer.position_value_usd)}`],
    ["Ties up", layer.capital_usd === undefined ? null : usd(layer.capital_usd)],
    ["Costs", layer.cost_usd === undefined ? null : `${usd(layer.cost_usd)} over ${number(layer.horizon_days)} days: ${layer.cost_source}`],
    ["Sized by", layer.basis],
    ...returns(layer.returns),
    ["Cut", layer.binding],
  ].filter(([, value]) => value);
  return [
    h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    gateList(layer.gates), h("h4", {}, "Why"), legList(layer.conditions), evidenceTable(layer.evidence),
  ];
}

const AMOUNTS = ["active", "closing", "approved", "proposed"];

export class Tier {
  constructor() {
    this.name = h("h3");
    this.horizon = h("span", { class: "soft" });
    this.amounts = h("div", { class: "amounts" });
    this.amountRows = new Rows(this.amounts, (a) => a.state, () => new Amount());
    this.sums = h("p", { class: "sums" });
    this.list = h("div", { class: "layers" });
    this.layers = new Rows(this.list, (layer) => layer.id, () => new Layer());
    this.element = h("article", { class: "tier" }, h("div", { class: "line" }, this.name, this.horizon), this.amounts, this.sums, this.list);
  }

  show(tier) {
    say(this.name, tier.tier);
    say(this.horizon, tier.horizon);
    this.amountRows.show(AMOUNTS.filter((s) => tier.notional_usd[s] !== undefined).map((s) => ({ state: s, usd: tier.notional_usd[s] })));
    const costs = tier.cost_usd === undefined ? "Empty" : `Costs ${usd(tier.cost_usd)} over 7 days`;
    say(this.sums, tier.left_usd === undefined ? costs : `${costs} · room for ${usd(tier.left_usd)} of capital today`);
    mark(this.element, "data-empty", !tier.items.length);
    this.layers.show(tier.items);
  }
}

class Amount {
  constructor() {
    this.value = h("span", { class: "figure" });
    this.name = h("span", { class: "state" });
    this.element = h("div", {}, this.value, this.name);
  }

  show(amount) {
    mark(this.element, "data-state", amount.state);
    say(this.value, usd(amount.usd));
    say(this.name, amount.state);
  }
}

// --- positions, decisions, sources --------------------------------------------------------------------------------------

const KINDS = {
  "uniswap-v2": "Uniswap v2 liquidity", "uniswap-v3": "Uniswap v3 liquidity", "uniswap-v4": "Uniswap v4 liquidity",
  curve: "Curve liquidity", balancer: "Balancer liquidity", "erc-4626": "Vault shares", "aave-v3": "Aave v3 account",
  "compound-v3": "Compound v3 account", perp: "Perpetual, equity", option: "Option", "iron-condor": "Iron condor", tokens: "Tokens",
  treasury: "Treasury",
};

export class Position {
  constructor() {
    this.value = h("span", { class: "figure" });
    this.kind = h("span", { class: "soft" });
    this.delta = h("span", { class: "figure soft" });
    this.id = h("span", { class: "title" });
    const summary = h("div", {},
      h("div", { class: "line" }, this.id, this.value), h("div", { class: "line under" }, this.kind, this.delta));
    this.disclosure = new Disclosure(summary, positionInside, "position");
    this.element = this.disclosure.element;
  }

  show(position) {
    say(this.id, position.id);
    const kind = KINDS[position.kind] ?? position.kind;
    mark(this.element, "data-unknown", position.unknown !== undefined);
    mark(this.element, "data-out", position.range !== undefined && position.range.state !== "inside");
    mark(this.element, "title", position.block_hash ? `Read at block ${position.block_hash}` : undefined);
    this.disclosure.show(position);
    if (position.unknown !== undefined) {
      say(this.value, "not known");
      say(this.kind, `${kind}: ${position.unknown}`);
      say(this.delta, "");
      return;
    }
    say(this.value, usd(position.value_usd));
    say(this.kind, [kind, position.chain && `on ${position.chain}`, standing(position)].filter(Boolean).join(" "));
    say(this.delta, position.holds ?? Object.entries(position.amounts).map(([asset, amount]) => `${number(+amount.toPrecision(5))} ${asset}`).join(" + "));
  }
}

// The one thing to know before opening it.
function standing(position) {
  if (position.range && position.range.state !== "inside") return "\u00b7 out of range";
  if (position.health_factor !== undefined) return `\u00b7 health ${position.health_factor.toFixed(2)}`;
  return "";
}

function positionInside(position) {
  const deltas = Object.entries(position.delta_usd ?? {}).map(([asset, value]) => `${usd(value)} of ${asset}`);
  const said = [...(deltas.length ? [`Delta: ${deltas.join(", ")}`] : []), ...(position.says ?? [position.unknown])];
  return [h("ul", { class: "says" }, said.map((sentence) => h("li", {}, sentence)))];
}

const KINDS_TOLD = { fired: "Fired", over: "Over", proposed: "Proposed", refused: "Refused", blind: "Blind", seeing: "Seeing", source: "Source", silence: "Silenced" };

export class Decision {
  constructor(decision) {
    this.when = h("time");
    this.sentence = h("span", { class: "sentence" });
    this.kind = h("span", { class: "kind" });
    const summary = h("div", { class: "told" }, h("span", { class: "stamp" }, this.when, this.kind), this.sentence);
    const opens = decision.evidence?.length || decision.gates?.length || decision.conditions?.length;
    this.disclosure = opens ? new Disclosure(summary, decisionInside, "decision") : null;
    this.element = this.disclosure?.element ?? h("div", { class: "decision plain" }, summary);
  }

  show(decision) {
    mark(this.element, "data-tone", decision.tone);
    say(this.when, brief(decision.at));
    mark(this.when, "datetime", new Date(decision.at).toISOString());
    mark(this.when, "title", ago(decision.at, clock.now));
    say(this.kind, KINDS_TOLD[decision.kind] ?? decision.kind);
    say(this.sentence, decision.sentence);
    this.disclosure?.show(decision);
  }
}

function decisionInside(decision) {
  const what = decision.what ? h("p", {}, `It would have been ${decision.what}.`) : null;
  return [what, gateList(decision.gates), legList(decision.conditions), evidenceTable(decision.evidence)];
}

const STATES = { up: "heard", late: "late", failing: "failing", down: "down", waiting: "not heard yet" };

export class Source {
  constructor() {
    this.id = h("span", { class: "title" });
    this.age = h("span", { class: "figure" });
    this.state = h("span", { class: "state" });
    this.note = h("span", { class: "soft" });
    this.element = h("article", { class: "source" },
      h("div", { class: "line" }, this.id, this.age), h("div", { class: "line under" }, this.state, this.note));
  }

  show(source) {
    mark(this.element, "data-state", source.state);
    say(this.id, source.id);
    say(this.age, source.age_seconds === undefined ? "never" : source.age_seconds < 1 ? "now" : `${span(source.age_seconds)} ago`);
    say(this.state, STATES[source.state]);
    const every = source.cadence_seconds === undefined ? "given by hand" : `every ${span(source.cadence_seconds)}`;
    const refused = source.rejected ? `, ${source.rejected} refused` : "";
    const trouble = source.up || !source.reason || source.state === "waiting" ? "" : `: ${source.reason}`;
    say(this.note, trouble ? trouble.slice(2) : `${every}${refused}`);
  }
}

export { percent };
