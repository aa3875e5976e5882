// Elements, made without ever parsing text as markup: whatever a source calls itself is shown, never run.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export function say(element, text) {
  const next = text ?? "";
  if (element.textContent !== next) element.textContent = next;
}

export function mark(element, name, value) {
  if (value === undefined || value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

// A list whose rows keep their identity: what is open stays open, what has the focus keeps it.
export class Rows {
  constructor(parent, key, make) {
    this.parent = parent;
    this.key = key;
    this.make = make;
    this.rows = new Map();
  }

  show(items) {
    const kept = new Set();
    let place = this.parent.firstElementChild;
    for (const item of items) {
      const key = this.key(item);
      if (kept.has(key)) continue;
      kept.add(key);
      let row = this.rows.get(key);
      if (!row) {
        row = this.make(item);
        this.rows.set(key, row);
      }
      row.show(item);
      if (row.element === place) place = place.nextElementSibling;
      else this.parent.insertBefore(row.element, place);
    }
    for (const [key, row] of this.rows) {
      if (kept.has(key)) continue;
      row.element.remove();
      this.rows.delete(key);
    }
  }
}

// A disclosure whose inside is built when it is opened, and again when its item changes while it is open.
export class Disclosure {
  constructor(summary, inside, name = "") {
    this.inside = inside;
    this.body = h("div", { class: "inside" });
    this.element = h("details", { class: name }, h("summary", {}, summary), this.body);
    this.element.addEventListener("toggle", () => this.fill());
  }

  show(item) {
    this.item = item;
    this.fill();
  }

  fill() {
    if (!this.element.open || this.item === undefined) return;
    const spelt = JSON.stringify(this.item);
    if (spelt === this.spelt) return;
    this.spelt = spelt;
    this.body.replaceChildren(...this.inside(this.item).filter(Boolean));
  }
}
