/* One box: by name, class or shape. */

const box = byId("search");
const results = byId("results");
const MOST = 60;
const found = { entries: null, shown: [], at: 0 };

function entries() {
  const calls = new Set();
  const list = [];
  for (const operation of data.operations) {
    const isCall = operation.op === "call_module";
    if (isCall) calls.add(operation.module);
    const more = [operation.label, operation.config].filter(Boolean).join(" ");
    list.push({ name: operationName(operation), more, inside: isCall ? parentOf(operation.module) : operation.module, shape: (operation.outputs || [])[0] || "", kind: operation.kind, thing: ofOperation(operation) });
  }
  for (const module of data.modules) {
    if (calls.has(module.path)) continue;
    const more = [module.type, module.config].filter(Boolean).join(" ");
    list.push({ name: module.path ? nameOf(module, "") : data.name, more, inside: parentOf(module.path), shape: (module.outputs || [])[0] || "", kind: "", thing: ofModule(module) });
  }
  return list.map((entry) => ({ ...entry, text: `${entry.name} ${entry.more} ${entry.inside} ${entry.shape}`.toLowerCase() }));
}

/** The end of a path: as many parts as there is room for. */
function lastOf(path) {
  const parts = path.split(".");
  let text = parts.pop();
  while (parts.length && text.length + parts.at(-1).length < 34) text = `${parts.pop()}.${text}`;
  return parts.length ? `… ${text}` : text;
}

/** How well an entry fits: 0 best, null not at all. */
function rank(entry, words) {
  if (!words.every((word) => entry.text.includes(word))) return null;
  const name = entry.name.toLowerCase();
  const last = name.slice(name.lastIndexOf(".") + 1);
  const [first] = words;
  if (name === first || last === first) return 0;
  if (entry.more.toLowerCase().split(" ")[0] === first) return 1;
  return last.startsWith(first) ? 2 : name.includes(first) ? 3 : 4;
}

function search() {
  found.entries ??= entries();
  const query = box.value.trim().toLowerCase();
  const words = query.replace(/(\d)\s*[x*,]\s*(?=\d)/g, "$1×").split(/\s+/).filter(Boolean);
  const copy = modules.get(resolved(box.value.trim()));
  const fits = words.length ? found.entries.map((entry) => [rank(entry, words), entry]).filter(([score]) => score !== null) : [];
  fits.sort((a, b) => a[0] - b[0]);
  found.shown = fits.slice(0, MOST).map(([, entry]) => entry);
  if (copy && copy.path !== box.value.trim() && query) found.shown.unshift({ name: copy.path, more: `${copy.type}, drawn for ${box.value.trim()}`, inside: parentOf(copy.path), shape: "", kind: "", thing: ofModule(copy) });
  found.at = 0;
  const items = found.shown.map((entry, at) => element("li", { role: "option", id: `result-${at}`, click: () => choose(at), pointermove: () => mark(at) },
    entry.kind ? kindSwatch(entry.kind) : element("i", { class: "swatch" }), element("b", { title: entry.name }, lastOf(entry.name)), element("span", { class: "shape" }, entry.shape), element("small", {}, [entry.more, entry.inside].filter(Boolean).join(" · "))));
  if (!items.length && query) items.push(element("li", { class: "empty" }, "Nothing has this name, class or shape."));
  if (fits.length > MOST) items.push(element("li", { class: "empty" }, `and ${fits.length - MOST} more`));
  results.replaceChildren(...items);
  results.hidden = !query;
  box.setAttribute("aria-expanded", String(!results.hidden));
  mark(0);
}

function mark(at) {
  found.at = at;
  [...results.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === at && index < found.shown.length)));
  if (found.shown.length) box.setAttribute("aria-activedescendant", `result-${at}`);
}

function choose(at) {
  const entry = found.shown[at];
  if (!entry) return;
  closeSearch();
  goTo(entry.thing, true);
}

function closeSearch() {
  results.hidden = true;
  box.setAttribute("aria-expanded", "false");
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
    closeSearch();
    if (!box.value) stage.focus();
    box.select();
  }
});
document.addEventListener("pointerdown", (event) => event.target.closest(".search") || closeSearch());
