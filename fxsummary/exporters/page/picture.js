/* The picture on the stage: showing it, selection and its neighbours, heat, zoom and pan. */

const stage = byId("stage");
const SVG = "http://www.w3.org/2000/svg";
const pictures = new Map([[Number(stage.dataset.picture), stage.querySelector("svg")]]);
const picture = {
  stage, svg: null, place: null, things: new Map(), keys: new Map(), marks: [], zoom: 1, fits: null, measure: "kind", panned: false,
  levelOf: ({ path }) => views.get(path).levels[0],
};

function pictureOf(number) {
  if (!pictures.has(number)) pictures.set(number, byId(`picture-${number}`).content.firstElementChild);
  return document.importNode(pictures.get(number), true);
}

const LARGE = 500; // elements of a picture that is copied before it is needed
const ready = new Map(); // copies of pictures, with their parts, by number
const closedIn = (place) => place.rows.flatMap((each) => (each.frame ? closedIn(each.frame.place) : each.closed ? [] : [each]));

/** While the browser is idle, copy the large pictures of the closed modules that are drawn, one after the other. */
function prepare(where) {
  if (where.isPreparing || !window.requestIdleCallback) return;
  where.isPreparing = true;
  requestIdleCallback(() => {
    where.isPreparing = false;
    const numbers = closedIn(where.place).filter(({ row }) => !row.closest("[data-far]")).map(({ module }) => where.levelOf(module).picture);
    const isLarge = (number) => byId(`picture-${number}`).content.querySelectorAll("*").length > LARGE;
    const next = numbers.find((number) => !ready.has(number) && isLarge(number));
    if (next === undefined) return;
    const svg = pictureOf(next);
    ready.set(next, { svg, parts: partsOf(svg) });
    prepare(where);
  });
}

/** Put a level of a view on the stage, with the modules that are open in it. */
function showPicture(level) {
  for (const each of [picture.things, picture.keys]) each.clear();
  const trail = `${state.path}@${state.level}`;
  forget(trail);
  picture.place = placed(level, trail, picture);
  picture.svg = picture.place.element;
  arrange(picture.place);
  draw(picture, NOWHERE); // until it is known what is near the stage
  picture.svg.setAttribute("role", "group");
  stage.replaceChildren(h("div.sheet", picture.svg));
  scale(picture);
  paintHeat();
}

/** Make a row or a frame of a picture focusable, with an accessible name. */
function name(row, thing, tabindex, where) {
  where.things.set(row, thing);
  row.setAttribute("tabindex", tabindex);
  row.setAttribute("role", "button");
  const lines = where.isBefore ? described(row, thing) : describe(thing);
  row.setAttribute("aria-label", lines.join(", "));
  const title = document.createElementNS(SVG, "title");
  title.textContent = lines.join("\n");
  row.append(title);
}

/** Describe name, result and costs briefly. */
function describe({ module, operation }) {
  const { label, type = label, config = "", outputs = [], parameters, flops, change } = module || operation;
  const path = module ? nameOf(module, "") : operation.op === "call_module" ? operation.target : "";
  const costs = [parameters && `${shortParameters(parameters)} parameters`, operation && flops && `${short(flops)} FLOPs`];
  const changed = change !== "same" && change;
  return [`${path} ${type} ${config}`.trim(), ...outputs.slice(0, 2), ...costs, changed].filter(Boolean).map(clean);
}

/** Describe something in the model before by the texts of its row: the page has the costs of the model after. */
function described(row, thing) {
  const { change } = recordOf(thing);
  if (["same", "removed"].includes(change)) return describe(thing);
  const texts = [...row.querySelectorAll("text")].map(({ textContent }) => textContent);
  return [texts.join(" "), change].filter(Boolean).map(clean);
}

/** Return the row of something: the focused one if there are several, as an input also has in a module that is open. */
function rowOf(thing) {
  const focused = document.activeElement;
  return same(picture.things.get(focused) ?? null, thing) ? focused : rowIn(picture, thing);
}

/** Return the first row of something; outer pictures come before those inside. */
const rowIn = ({ things }, wanted) => [...things].find(([, thing]) => same(thing, wanted))?.[0];

const placeIn = (each) => each.closest("[data-picture]:not(.stage)"); // a picture on the stage, or inside another

/** Return the rows that a row reads and the rows that read it, with the wires between. */
function neighbours(row) {
  const item = row.dataset.i;
  const found = { in: [], out: [], wires: [] };
  if (item === undefined || !data.dataflow) return found;
  const parts = [...placeIn(row).children];
  const own = parts.filter((each) => each.dataset.b !== undefined).flatMap((table) => [...table.children]);
  const itemRows = (number) => own.filter((each) => each.dataset.i === number);
  const rows = itemRows(item);
  const at = rows.indexOf(row);
  const wires = parts.filter((each) => each.dataset.v !== undefined);
  if (at > 0) found.in.push(rows[at - 1]);
  else {
    const into = wires.filter((wire) => wire.dataset.t.split(" ").includes(item));
    found.wires.push(...into.map((wire) => [wire, "in"]));
    found.in = [...new Set(into.map((wire) => wire.dataset.v))].map((other) => itemRows(other).at(-1));
  }
  if (at < rows.length - 1) found.out.push(rows[at + 1]);
  else {
    const from = wires.filter((wire) => wire.dataset.v === item);
    found.wires.push(...from.map((wire) => [wire, "out"]));
    found.out = [...new Set(from.flatMap((wire) => wire.dataset.t.split(" ")))].map((other) => itemRows(other)[0]);
  }
  return found;
}

/** Remove the marks of what was selected. */
function unmark({ marks }) {
  for (const mark of marks.splice(0)) {
    if (mark.matches(".around")) mark.remove();
    else mark.classList.remove("in", "out");
  }
}

/** Outline a row and its neighbours; null removes the outlines. */
function highlight(row) {
  unmark(picture);
  const found = row && neighbours(row.dataset.i === undefined && row.dataset.n !== undefined ? row.parentNode : row);
  picture.svg.toggleAttribute("data-marked", Boolean(row && found.wires.length));
  if (!row) return;
  for (const [wire, side] of found.wires) {
    wire.classList.add(side);
    picture.marks.push(wire);
  }
  const sides = ["in", "out"].flatMap((side) => found[side].filter(Boolean).map((each) => [each, side]));
  const outlines = [...sides, [row, ""]].map((each) => [...each, placeOfRow(each[0])]); // all before the first is drawn
  outlines.forEach((each) => outline(...each));
}

/** Draw an element, wherever it lies, and return how far it is moved in the SVG. */
function placeInSvg(element) {
  bringBack(element);
  const moves = [];
  for (let each = element; each.ownerSVGElement; each = each.parentNode) moves.push(numbersIn(each.getAttribute("transform") ?? "0 0"));
  return [0, 1].map((axis) => moves.reduce((sum, move) => sum + move[axis], 0));
}

/** Return the box of a row, and how far it is moved. */
function placeOfRow(row) {
  const [x, y] = placeInSvg(row);
  return { box: row.getBBox(), x, y };
}

function outline(row, side, { box, x, y } = placeOfRow(row)) {
  const around = drawn(row.ownerSVGElement, "g", { class: "around", transform: `translate(${x} ${y})` });
  whereIs(row).marks.push(around);
  drawn(around, "rect", {
    class: `ring ${side}`,
    x: box.x - 2,
    y: box.y - 2,
    width: box.width + 4,
    height: box.height + 4,
    rx: 6,
  });
  if (!side) return;
  const tag = drawn(around, "g", { class: `tag ${side}` });
  const width = side === "in" ? 16 : 22;
  drawn(tag, "rect", { x: box.x - width - 4, y: box.y + box.height / 2 - 7, width, height: 14, rx: 4 });
  drawn(tag, "text", {
    x: box.x - width / 2 - 4,
    y: box.y + box.height / 2 + 3.5,
    "text-anchor": "middle",
    "font-size": 9.5,
    "font-weight": 600,
  }).textContent = side;
}

/* --- zoom and pan ------------------------------------------------------------------------------- */

/** Give a picture the size of the zoom, and room around it for what is open.
 *
 * Browsers lay out all of an SVG again when its size or view box changes. Both stay while modules open in place: what lies
 * outside overflows, and a sheet around the SVG has the size of everything. */
function scale({ svg, place: { own, box } }, zoom = picture.zoom) {
  const pixels = (length) => `${Math.max(0, length) * zoom}px`;
  const ends = ([left, top, width, height]) => [-top, left + width, top + height, -left];
  const room = ends(box).map((end, at) => pixels(end - ends(own)[at]));
  Object.assign(svg.style, { width: pixels(own[2]), height: pixels(own[3]) });
  svg.parentNode.style.padding = room.join(" ");
}

function zoomTo(zoom, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const before = picture.svg.getBoundingClientRect();
  const corner = stage.getBoundingClientRect();
  picture.fits = null;
  picture.zoom = Math.min(4, Math.max(0.02, zoom));
  scale(picture);
  showZoom(picture.zoom);
  const after = picture.svg.getBoundingClientRect();
  const ratio = after.width / before.width;
  stage.scrollLeft += after.left - corner.left + (corner.left + x - before.left) * ratio - x;
  stage.scrollTop += after.top - corner.top + (corner.top + y - before.top) * ratio - y;
  showNear(picture);
}

const LEGIBLE = 0.62; // the least zoom at which texts can be read

const showZoom = (zoom) => (byId("zoom-full").textContent = `${Math.round(100 * zoom)} %`);

/** Fit the picture to the stage; if it would be too small to read and `readable` is set, show only a part. */
function fit(readable = false) {
  const [, , width, height] = picture.place.box;
  const across = (stage.clientWidth - (innerWidth > 760 ? 48 : 12)) / width;
  const down = (stage.clientHeight - 8) / height;
  const whole = Math.min(across, down, 1.25);
  const legible = Math.min(0.9, Math.max(LEGIBLE, across, down > 0.9 ? 0 : down));
  zoomTo(readable && whole < LEGIBLE ? legible : whole);
  picture.fits = { readable };
  stage.scrollTop = 0;
  stage.scrollLeft = (stage.scrollWidth - stage.clientWidth) / 2;
  if (readable) showStart();
}

/** Fit again when the stage changes its size, as when the panel opens next to it; the selected row stays in view. */
new ResizeObserver(() => {
  if (!picture.svg || !picture.fits) return;
  fit(picture.fits.readable);
  const row = state.thing && rowOf(state.thing);
  if (row) bringIntoView(row);
}).observe(stage);

/** Scroll horizontally to the first input, where reading starts. */
function showStart() {
  const first = picture.svg.querySelector("[data-i]");
  if (!first || stage.scrollWidth <= stage.clientWidth) return;
  bringBack(first);
  const box = first.getBoundingClientRect();
  const corner = stage.getBoundingClientRect();
  stage.scrollLeft += box.left + box.width / 2 - corner.left - stage.clientWidth / 2;
}

stage.addEventListener(
  "wheel",
  (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const corner = stage.getBoundingClientRect();
    zoomTo(
      picture.zoom * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.004)),
      event.clientX - corner.left,
      event.clientY - corner.top,
    );
  },
  { passive: false },
);

stage.addEventListener("pointerdown", (event) => {
  if (event.pointerType !== "mouse" || event.button !== 0 || event.target.closest("[data-n]")) return;
  const start = [event.clientX + stage.scrollLeft, event.clientY + stage.scrollTop];
  picture.panned = false;
  const move = (moved) => {
    if (!moved.buttons) return stop();
    picture.panned = true;
    stage.classList.add("panning");
    stage.scrollLeft = start[0] - moved.clientX;
    stage.scrollTop = start[1] - moved.clientY;
  };
  const stop = () => {
    stage.classList.remove("panning");
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", stop);
  };
  addEventListener("pointermove", move);
  addEventListener("pointerup", stop);
});
