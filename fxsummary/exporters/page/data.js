"use strict";

/* The data of the page: modules and operations by name, and number formats. */

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const modules = new Map(data.modules.map((module) => [module.path, module]));
const operations = new Map(data.operations.map((operation) => [operation.key, operation]));
const views = new Map(Object.entries(data.views));
const copies = new Map(Object.entries(data.copies));
const tensors = new Map(Object.entries(data.tensors));

/** Return a text on one line, without control characters or direction marks. */
function clean(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "");
}

/** Create an element, as in h("span.marker", { title }, "in"); texts are never markup, empty children are left out. */
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

/** Return the path of the module that is drawn for a module, which may be a folded copy. */
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

/** Return a module or operation as {module} or {operation}. */
const ofModule = (module) => module && { module };
const ofOperation = (operation) => operation && { operation };
const recordOf = ({ module, operation }) => module || operation;
const same = (a, b) => Boolean(a && b) && a.module === b.module && a.operation === b.operation;

/** Return the module or operation for a number in the picture. */
function meant(number) {
  if (number === null || number === undefined) return null;
  return number < 0 ? ofModule(data.modules[-1 - number]) : ofOperation(data.operations[number]);
}

/** Return the level of a view in which something has a row, preferably the initial level; -1 if none. */
function levelWith(view, wanted) {
  const has = (level) => level.rows.includes(wanted);
  const first = shownLevel(view);
  return has(view.levels[first]) ? first : view.levels.findIndex(has);
}

/** Return the level at which the reader left a view. */
const shownLevel = (view) => view.shown ?? view.start;

/** Return path and level of the best view of something: the innermost one that has a row for it. */
function placeOf(thing) {
  const wanted = thing.module ? -1 - data.modules.indexOf(thing.module) : data.operations.indexOf(thing.operation);
  for (let path = thing.module ? parentOf(thing.module.path) : thing.operation.module; ; path = parentOf(path)) {
    const view = views.get(path);
    const level = view ? levelWith(view, wanted) : -1;
    if (level >= 0) return { path, level };
    if (path === "") return null;
  }
}

/** Return the operation that calls a module that has no picture. */
const callOf = (module) =>
  data.operations.find((operation) => operation.op === "call_module" && operation.module === module.path);

function nameOf(module, base = parentOf(module.path)) {
  if (!module.path) return data.name || "model";
  const name = base && module.path.startsWith(base + ".") ? module.path.slice(base.length + 1) : module.path;
  return module.last ? `${name} … ${module.last.slice(module.last.lastIndexOf(".") + 1)}` : name;
}

const operationName = (operation) => (operation.op === "call_module" ? operation.target : operation.key);

const count = (number) => (number === null ? "?" : number.toLocaleString("en-US"));

/** Format a number with three significant digits and an SI suffix. */
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

/** Format a number of parameters, with B for billions. */
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

/** Return by what the sizes of a module are multiplied for all of its copies: 1 if they are sums already. */
const timesOf = (module) => (module.summed ? 1 : module.copies || 1);

/** Return the parameters of all copies of a module. */
const allOf = (module) => (module.parameters || 0) * timesOf(module);

/** Return FLOPs or parameters of a row, over all copies, or the most memory in use while any of them runs. */
function cost({ module, operation }, measure) {
  if (measure === "memory") return (module || operation).use || 0;
  if (operation) return (operation[measure] || 0) * (operation.summed ? 1 : operation.times || 1);
  return measure === "parameters" ? allOf(module) : module[measure] || 0;
}
