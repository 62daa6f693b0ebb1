/* Search by name, class or shape. */

const box = byId("search");
const results = byId("results");
const MOST = 60;
const found = { entries: null, shown: [], at: 0 };

function entries() {
  const calls = new Set(data.operations.filter(({ op }) => op === "call_module").map(({ module }) => module));
  const ofOne = (thing, name, inside, { type, label, config, outputs = [], kind }) => {
    const more = [type ?? label, config].filter(Boolean).join(" ");
    const shape = outputs[0] || "";
    return { thing, name, more, inside, shape, kind, text: `${name} ${more} ${inside} ${shape}`.toLowerCase() };
  };
  const insideOf = ({ op, module }) => (op === "call_module" ? parentOf(module) : module);
  return [
    ...data.operations.map((each) => ofOne(ofOperation(each), operationName(each), insideOf(each), each)),
    ...data.modules
      .filter(({ path }) => !calls.has(path))
      .map((each) => ofOne(ofModule(each), nameOf(each, ""), parentOf(each.path), each)),
  ];
}

/** Return the end of a path: as many parts as fit. */
function lastOf(path) {
  const parts = path.split(".");
  let text = parts.pop();
  while (parts.length && text.length + parts.at(-1).length < 34) text = `${parts.pop()}.${text}`;
  return parts.length ? `… ${text}` : text;
}

/** Return the rank of a match: 0 is best, null is no match. */
function rank(entry, words) {
  if (!words.length || !words.every((word) => entry.text.includes(word))) return null;
  const name = entry.name.toLowerCase();
  const last = name.slice(name.lastIndexOf(".") + 1);
  const [first] = words;
  if (name === first || last === first) return 0;
  if (entry.more.toLowerCase().split(" ")[0] === first) return 1;
  return last.startsWith(first) ? 2 : name.includes(first) ? 3 : 4;
}

/** Return the entry of the module that is drawn for the folded copy with this name. */
function drawnFor(name) {
  const module = modules.get(resolved(name));
  if (!module || module.path === name) return [];
  const more = `${module.type}, drawn for ${name}`;
  return [{ thing: ofModule(module), name: module.path, more, inside: parentOf(module.path), shape: "" }];
}

function search() {
  found.entries ??= entries();
  const query = box.value.trim();
  const words = query
    .toLowerCase()
    .replace(/(\d)\s*[x*,]\s*(?=\d)/g, "$1×")
    .split(/\s+/)
    .filter(Boolean);
  const fits = found.entries.map((entry) => [rank(entry, words), entry]).filter(([score]) => score !== null);
  fits.sort((a, b) => a[0] - b[0]);
  found.shown = query ? [...drawnFor(query), ...fits.slice(0, MOST).map(([, entry]) => entry)] : [];
  const items = found.shown.map(option);
  if (!items.length) items.push(h("li.empty", "Nothing has this name, class or shape."));
  else if (fits.length > MOST) items.push(h("li.empty", `and ${fits.length - MOST} more`));
  results.replaceChildren(...items);
  showResults(Boolean(query));
  mark(0);
}

function option(entry, at) {
  return h(
    "li",
    { role: "option", id: `result-${at}`, click: () => choose(at), pointermove: () => mark(at) },
    entry.kind ? kindSwatch(entry.kind) : h("i.swatch"),
    h("b", { title: entry.name }, lastOf(entry.name)),
    h("span.shape", entry.shape),
    h("small", [entry.more, entry.inside].filter(Boolean).join(" · ")),
  );
}

function mark(at) {
  found.at = at;
  [...results.children].forEach((item, index) =>
    item.setAttribute("aria-selected", String(index === at && index < found.shown.length)),
  );
  if (found.shown.length) box.setAttribute("aria-activedescendant", `result-${at}`);
}

function choose(at) {
  if (!found.shown[at]) return;
  showResults(false);
  goTo(found.shown[at].thing, true);
}

function showResults(on) {
  results.hidden = !on;
  box.setAttribute("aria-expanded", String(on));
}

box.addEventListener("input", search);
box.addEventListener("focus", () => box.value && search());
box.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && found.shown.length) {
    event.preventDefault();
    mark((found.at + step + found.shown.length) % found.shown.length);
    results.children[found.at].scrollIntoView({ block: "nearest" });
  } else if (event.key === "Enter") {
    event.preventDefault();
    choose(found.at);
  } else if (event.key === "Escape") {
    event.stopPropagation();
    if (results.hidden) box.value = "";
    showResults(false);
    if (!box.value) stage.focus();
    box.select();
  }
});
document.addEventListener("pointerdown", (event) => event.target.closest(".search") || showResults(false));
