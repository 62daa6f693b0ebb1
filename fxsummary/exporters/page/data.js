"use strict";

/* What the page knows: modules and operations by name, and numbers as text. */

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const modules = new Map(data.modules.map((module) => [module.path, module]));
const operations = new Map(data.operations.map((operation) => [operation.key, operation]));
const views = new Map(Object.entries(data.views));
const copies = new Map(Object.entries(data.copies));
const tensors = new Map(Object.entries(data.tensors));

/** A text on one line, without control characters or direction marks. */
function clean(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "");
}

/** An element, as in h("span.marker", { title }, "in"); texts are never read as markup, empty ones are left out. */
function h(kind, ...children) {
  const [name, ...classes] = kind.split(".");
  const made = document.createElement(name);
  made.classList.add(...classes);
  const has = children.length && Object.getPrototypeOf(children[0] ?? "") === Object.prototype;
  for (const [key, value] of Object.entries(has ? children.shift() : {})) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== undefined && value !== false) made.setAttribute(key, clean(value));
  }
  for (const child of children.flat(2)) {
    if (child instanceof Node) made.append(child);
    else if (child !== undefined && child !== null && child !== "") made.append(clean(child));
  }
  return made;
}

const parentOf = (path) => (path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "");

/** The path of the module that is drawn in the place of one that may be a folded copy. */
function resolved(path) {
  for (let rounds = 0; rounds < 32; rounds++) {
    let prefix = path;
    while (prefix && !copies.has(prefix)) prefix = parentOf(prefix);
    if (!prefix) break;
    path = copies.get(prefix) + path.slice(prefix.length);
  }
  const shared = modules.get(path)?.shared;
  return shared !== undefined && !views.has(path) && modules.has(shared) ? shared : path;
}

/** A module or operation that the script works with, as {module} or {operation}. */
const ofModule = (module) => module && { module };
const ofOperation = (operation) => operation && { operation };
const same = (a, b) => Boolean(a && b) && a.module === b.module && a.operation === b.operation;

/** What a number in the picture's lists stands for. */
function meant(number) {
  if (number === null || number === undefined) return null;
  return number < 0 ? ofModule(data.modules[-1 - number]) : ofOperation(data.operations[number]);
}

/** The level of a view in which something has a row, that which is shown first of all; -1 if none. */
function levelWith(view, wanted) {
  const has = (level) => level.rows.includes(wanted);
  const first = shownLevel(view);
  return has(view.levels[first]) ? first : view.levels.findIndex(has);
}

/** The level at which a reader left a view. */
const shownLevel = (view) => view.shown ?? view.start;

/** The path and level of the view that shows something best: the innermost that has a row of it. */
function placeOf(thing) {
  const wanted = thing.module ? -1 - data.modules.indexOf(thing.module) : data.operations.indexOf(thing.operation);
  for (let path = thing.module ? parentOf(thing.module.path) : thing.operation.module; ; path = parentOf(path)) {
    const view = views.get(path);
    const level = view ? levelWith(view, wanted) : -1;
    if (level >= 0) return { path, level };
    if (path === "") return null;
  }
}

/** The operation that calls a module without a picture of its own. */
const callOf = (module) =>
  data.operations.find((operation) => operation.op === "call_module" && operation.module === module.path);

function nameOf(module, base = parentOf(module.path)) {
  if (!module.path) return data.name || "model";
  const name = base && module.path.startsWith(base + ".") ? module.path.slice(base.length + 1) : module.path;
  return module.last ? `${name} … ${module.last.slice(module.last.lastIndexOf(".") + 1)}` : name;
}

const operationName = (operation) => (operation.op === "call_module" ? operation.target : operation.key);

const count = (number) => (number === null ? "?" : number.toLocaleString("en-US"));

/** Three significant digits with an SI suffix. */
function short(number) {
  if (number === null || number === undefined) return "?";
  let value = Number(number.toPrecision(3));
  if (value < 1000) return String(number);
  let at = -1;
  while (value >= 1000 && at < 4) {
    value /= 1000;
    at += 1;
  }
  return `${Number(value.toPrecision(4))} ${"kMGTP"[at]}`;
}

/** A number of parameters: B for billions. */
const shortParameters = (number) => short(number).replace(" G", " B");

function bytes(number) {
  let value = number;
  let at = 0;
  while (value >= 1024 && at < 4) {
    value /= 1024;
    at += 1;
  }
  return at ? `${Number(value.toPrecision(3))} ${["KiB", "MiB", "GiB", "TiB"][at - 1]}` : `${number} B`;
}

function percent(part, whole) {
  if (!part || !whole) return "";
  const share = (100 * part) / whole;
  return share < 0.05 ? "<0.1 %" : `${share >= 99.95 ? 100 : share.toFixed(1)} %`;
}

/** Parameters of all copies of a module. */
const allOf = (module) => (module.parameters || 0) * (module.copies || 1);

/** FLOPs, parameters or memory of a row, all copies together. */
function cost({ module, operation }, measure) {
  if (operation) return (operation[measure] || 0) * (operation.times || 1);
  return measure === "parameters" ? allOf(module) : module[measure] || 0;
}
