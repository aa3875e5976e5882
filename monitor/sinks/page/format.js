// Numbers and times as a person reads them.

const money0 = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const money2 = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const plain = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
const rough = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const MINUS = "\u2212";

function signed(text) {
  return text.replace("-", MINUS);
}

export function usd(value) {
  const size = Math.abs(value);
  const sign = value < 0 ? MINUS : "";
  if (size >= 1e9) return `${sign}$${(size / 1e9).toFixed(size >= 1e11 ? 0 : 2)} bn`;
  if (size >= 1e7) return `${sign}$${(size / 1e6).toFixed(1)} m`;
  return `${sign}$${size >= 1000 || size === 0 ? money0.format(size) : money2.format(size)}`;
}

export function percent(fraction, digits = 1) {
  return `${signed((fraction * 100).toFixed(digits))}%`;
}

export function number(value) {
  return typeof value === "string" ? value : signed(plain.format(value));
}

// A value in the unit that its rule declares.
export function inUnit(value, unit) {
  if (unit === "fraction") return percent(value);
  if (unit === "fraction a year") return `${percent(value)} a year`;
  if (unit === "percent") return `${signed(value.toFixed(1))}%`;
  if (unit === "USD" || unit === "usd") return usd(value);
  const shown = Math.abs(value) < 1000 ? signed(rough.format(value)) : number(value);
  return unit ? `${shown} ${unit.replace(/^RSI points$/, "points")}` : shown;
}

export function evidenceValue(point) {
  if (typeof point.value === "string") return point.value;
  if (point.unit === "USD") return usd(point.value);
  if (point.unit === "fraction per interval") return percent(point.value, 4);
  if (point.unit === "fraction") return percent(point.value, 2);
  return number(point.value);
}

export function span(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function ago(ms, now) {
  const text = span(Math.max(0, (now - ms) / 1000));
  return text === "now" ? "just now" : `${text} ago`;
}

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const short = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

export function instant(ms) {
  return `${day.format(ms)}, ${time.format(ms)} UTC`;
}

export function brief(ms) {
  return `${short.format(ms)}, ${time.format(ms)}`;
}

export function dayOf(ms) {
  return short.format(ms);
}

const WORDS = { short_perp: "Short perp", top_up: "Collateral top-up" };

export function instrument(name) {
  return WORDS[name] ?? name ?? "Layer";
}
