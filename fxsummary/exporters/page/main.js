/* Navigation: the displayed module, the selection, the URL, and the keys. */

const state = { path: null, level: 0, thing: null };

/** Show the picture of a module and select `thing` in it. */
function show(path, level, thing) {
  const view = views.get(path);
  const at = level ?? shownLevel(view);
  if (state.path !== path || state.level !== at) {
    state.path = path;
    state.level = view.shown = at;
    showPicture(view.levels[at]);
    fit(true);
  }
  showLevel();
  select(thing ?? null);
}

/** Show which level of how many is on screen. */
function showLevel() {
  const at = sides.on ? sides.level : state.level;
  const levels = (sides.on ? data.sides : views.get(state.path)).levels.length;
  byId("collapse").disabled = at === 0;
  byId("expand").disabled = at === levels - 1;
  for (const id of ["collapse", "expand"]) byId(id).hidden = levels === 1;
  byId("level").textContent = levels > 1 ? `${at + 1} / ${levels}` : "";
}

/** Select something in the picture, or clear the selection; the panel shows it. */
function select(thing) {
  state.thing = thing;
  const row = thing && !sides.on && rowOf(thing);
  if (sides.on) markSides(thing);
  else highlight(row);
  showPath();
  const shown = thing || ofModule(modules.get(state.path));
  showPanel(shown);
  showInTree(state.path, thing);
  byId("status").textContent = describe(shown).join(", ");
  if (row) bringIntoView(row);
}

/** Scroll a row into view. */
function bringIntoView(row, within = stage) {
  bringBack(row);
  const box = row.getBoundingClientRect();
  const corner = within.getBoundingClientRect();
  const right = corner.left + within.clientWidth;
  const missing = (low, high, from, to) =>
    Math.min(low - from - 24, 0) || Math.max(Math.min(high - to + 24, low - from - 24), 0);
  within.scrollLeft += missing(box.left, box.right, corner.left, right);
  within.scrollTop += missing(box.top, box.bottom, corner.top, corner.top + within.clientHeight);
}

/** Show the path: the parents of the module shown, which open alone, and the modules open in place around the selection. */
function showPath() {
  const around = [state.path];
  for (let at = state.path; at !== "";) {
    at = parentOf(at);
    if (views.has(at)) around.unshift(at);
  }
  const alone = around.map((path) => [ofModule(modules.get(path)), () => open(path)]);
  const inPlace = rowsAround(sides.on ? null : selectedRow()).map((row) => [picture.things.get(row), () => focusRow(row)]);
  const crumbs = [...alone, ...inPlace];
  const crumb = ([{ module }, click], number) => {
    const name = nameOf(module, crumbs[number - 1]?.[0].module.path);
    const current = number === crumbs.length - 1;
    const type = current && module.type !== name ? h("i", module.type) : "";
    const made = h("button", { "aria-current": current && "page", click }, name, type);
    return number ? [h("s", { "aria-hidden": "true" }, "›"), made] : [made];
  };
  byId("path").replaceChildren(...crumbs.flatMap(crumb));
}

function focusRow(row) {
  pick(picture.things.get(row));
  row.focus({ preventScroll: true });
}

/* --- URLs --------------------------------------------------------------------------------------- */

const encoded = (text) => encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\ufffd"));
const addressOf = (path, thing) => `#${encoded(path)}${thing?.operation ? `:${encoded(thing.operation.key)}` : ""}${openHere(path)}`;

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // not a URL of this page
  }
}

const MANY_OPEN = 50; // modules whose names make a URL long, so that it takes long to set

function remember(kind) {
  if (location.protocol === "about:") return; // in the frame of a notebook, which has no address
  const setAddress = () => {
    const address = addressOf(state.path, state.thing);
    if (address !== location.hash && (address !== "#" || location.hash)) history[kind](null, "", address);
  };
  if (opened.size < MANY_OPEN) setAddress();
  else setTimeout(setAddress, 300); // after the picture is painted
}

/** Open a module's picture, which shows both models in one. */
function open(path, thing = null, level = undefined) {
  if (!views.has(path)) return;
  if (sides.on) setSides(false);
  const kind = path === state.path ? "replaceState" : "pushState";
  show(path, level, thing);
  remember(kind);
}

/** Go to a module or an operation: its picture, or its row in the picture of an ancestor. */
function goTo(thing, focus = false) {
  const hasView = thing.module && views.has(thing.module.path);
  const wanted = (thing.module && !hasView && ofOperation(callOf(thing.module))) || thing;
  if (sides.on) return pick(wanted);
  if (hasView) open(thing.module.path);
  else {
    const inSight = state.path !== null && rowOf(wanted);
    const place = inSight ? { path: state.path, level: state.level } : placeOf(wanted);
    if (place) open(place.path, wanted, place.level);
    else open(nearestView(thing.module ? thing.module.path : thing.operation.module), thing);
  }
  if (!focus) return;
  setPanel(true);
  ((state.thing && rowOf(state.thing)) || stage).focus({ preventScroll: true });
}

function nearestView(path) {
  while (path && !views.has(path)) path = parentOf(path);
  return path;
}

/** Show the target of the URL; the model itself if it is unknown. */
function followAddress() {
  const [address, ends = ""] = location.hash.slice(1).split(";");
  const [path, key] = address.split(":").map(decoded);
  const operation = ofOperation(operations.get(key));
  const target = resolved(path);
  if (views.has(target)) {
    const level = operation ? levelWith(views.get(target), data.operations.indexOf(operation.operation)) : -1;
    show(target, reopen(target, ends) ?? (level < 0 ? undefined : level), operation);
  } else {
    const thing = ofModule(modules.get(target)) || ofOperation(operations.get(path));
    show("", undefined, null);
    if (thing) goTo(thing);
  }
}

/* --- user actions ------------------------------------------------------------------------------- */

/** Go to the parent of the displayed module, and select that module. */
function up() {
  if (sides.on) return pick(null);
  const last = state.path;
  if (last === "") return pick(null);
  const module = ofModule(modules.get(last));
  open(nearestView(parentOf(last)), module);
  rowOf(module)?.focus({ preventScroll: true });
}

/** Open or close modules in the picture. */
function step(by) {
  if (sides.on) return stepSides(by);
  const level = state.level + by;
  if (level < 0 || level >= views.get(state.path).levels.length) return;
  show(state.path, level, state.thing);
}

const selectedRow = () => (!state.thing ? null : sides.on ? rowIn(paneInUse(), state.thing) : rowOf(state.thing));

const thingAt = (target) => picture.things.get(target.closest?.("[data-n], [data-m]"));

stage.addEventListener("click", (event) => {
  const thing = thingAt(event.target);
  if (toggleAt(event)) return;
  if (thing && !same(thing, state.thing)) pick(thing);
  else if (!thing && state.thing && !picture.panned) pick(null);
});
stage.addEventListener("dblclick", (event) => openRow(event.target.closest("[data-i]")));
stage.addEventListener("focusin", (event) => {
  const thing = thingAt(event.target);
  if (thing && event.target.matches(":focus-visible") && !same(thing, state.thing)) pick(thing);
});

function pick(thing) {
  if (thing) setPanel(true);
  select(thing);
  remember("replaceState");
}

/** Move to the nearest row in a direction. */
function move([dx, dy]) {
  const shown = sides.on ? paneInUse() : picture;
  const current = state.thing && (sides.on ? counterpart(shown, state.thing) : rowOf(state.thing));
  if (current?.closest("[data-far]")) {
    bringIntoView(current, shown.stage);
    showNear(shown);
  }
  const rows = [...shown.svg.querySelectorAll("[data-i], g[data-m]")].filter((row) => shown.things.has(row) && !row.closest("[data-far]"));
  if (!current) return rows.find((row) => row.dataset.i !== undefined)?.focus();
  const middle = (row) => {
    const { left, top, width, height } = row.getBoundingClientRect();
    return row.dataset.m === undefined ? [left + width / 2, top + height / 2] : [left + 40, top + 8];
  };
  const [x, y] = middle(current);
  let best = null;
  for (const row of rows) {
    const [otherX, otherY] = middle(row);
    const along = (otherX - x) * dx + (otherY - y) * dy;
    const aside = Math.abs((otherX - x) * dy) + Math.abs((otherY - y) * dx);
    if (row !== current && along > 4 && aside < along * 3 + 40 && (!best || along + 2 * aside < best.far))
      best = { row, far: along + 2 * aside };
  }
  best?.row.focus();
}

const ARROWS = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0] };
const KEYS = {
  Enter: () => openRow(selectedRow()),
  " ": () => openRow(selectedRow()),
  Escape: () => shut(selectedRow()) || up(),
  Backspace: up,
  "+": () => step(1),
  "=": () => step(1),
  "-": () => step(-1),
  0: fitShown,
  c: () => copy(nameToCopy()),
  "/": () => box.focus(),
  "?": () => byId("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") || event.target.matches("input[type=text]"))
    return;
  const inPicture = stage.contains(event.target) || paneAt(event.target) || event.target === document.body;
  const header = event.target.closest(".shut");
  if (header && ["Enter", " ", "Escape"].includes(event.key)) {
    event.preventDefault();
    return toggle(header.dataset.key, whereIs(header));
  }
  if (event.target.matches("button") && !["Escape", "/", "?"].includes(event.key)) return;
  if (ARROWS[event.key] ? !inPicture : !KEYS[event.key]) return;
  event.preventDefault();
  if (ARROWS[event.key]) move(ARROWS[event.key]);
  else KEYS[event.key]();
});

function setPanel(on) {
  panel.hidden = !on;
  byId("toggle-panel").setAttribute("aria-pressed", String(on));
}

function setTree(on) {
  byId("modules").hidden = !on;
  byId("toggle-tree").setAttribute("aria-pressed", String(on));
}

function start() {
  document.documentElement.classList.add("scripted");
  byId("heat").addEventListener("change", (event) => {
    picture.measure = event.target.value;
    paintHeat();
  });
  const clicks = {
    expand: () => step(1),
    collapse: () => step(-1),
    fit: fitShown,
    "save-svg": saveSvg,
    "save-png": savePng,
    copy: () => copy(nameToCopy()),
    "zoom-in": () => zoomShown((zoom) => zoom * 1.25),
    "zoom-out": () => zoomShown((zoom) => zoom / 1.25),
    "zoom-full": () => zoomShown(() => 1),
    help: () => byId("keys").showModal(),
    "show-memory": () => toggleDock("memory"),
    "show-roofline": () => toggleDock("roofline"),
    "toggle-panel": () => setPanel(panel.hidden),
    "toggle-tree": () => setTree(byId("modules").hidden),
    theme: () => {
      const { dataset } = document.documentElement;
      const dark =
        dataset.theme === "dark" || (dataset.theme === "auto" && matchMedia("(prefers-color-scheme:dark)").matches);
      dataset.theme = dark ? "light" : "dark";
    },
  };
  for (const [id, action] of Object.entries(clicks)) byId(id)?.addEventListener("click", action);
  setPanel(innerWidth > 1000);
  setTree(innerWidth > 1200);
  if (data.sides) startSides();
  plantTree();
  followAddress();
  addEventListener("popstate", followAddress);
  addEventListener("hashchange", followAddress);
}

start();
