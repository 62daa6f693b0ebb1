/* Modules that are open in place: their pictures inside the picture on the stage. */

const opened = new Set(); // keys of the rows that are open: the view, its level, and the numbers of the rows down to it
const HEAD = 24;

/** Return a picture with its open modules inside; all rows are named. */
function build(level, trail) {
  const svg = pictureOf(level.picture);
  svg.dataset.picture = level.picture;
  const open = [];
  for (const row of svg.querySelectorAll("[data-n]")) {
    const thing = meant(level.rows[row.dataset.n]);
    if (!thing) continue;
    name(row, thing, row.dataset.i === undefined ? "-1" : "0");
    if (!row.querySelector(".open")) continue;
    const key = `${trail}/${row.dataset.n}`;
    picture.keys.set(row, key);
    row.setAttribute("aria-expanded", String(opened.has(key)));
    if (opened.has(key)) open.push([row, thing.module, key]);
  }
  for (const frame of svg.querySelectorAll("[data-m]"))
    name(frame, ofModule(data.modules[level.frames[frame.dataset.m]]), "-1");
  const isInside = trail.includes("/");
  if (!open.length && !isInside) return svg;
  const parts = partsOf(svg);
  for (const [row, module, key] of open) insert(parts, row, framed(build(views.get(module.path).levels[0], key), module, key));
  const ends = isInside ? withoutPills(parts) : [];
  redraw(parts);
  const [, top, , height] = numbersIn(svg.getAttribute("viewBox"));
  for (const [{ element, head, points }, end] of ends) {
    points.at(-end)[1] = top + end * height;
    element.setAttribute("d", roundedPath(points));
    if (end) head?.remove();
  }
  return svg;
}

/** Take out the pill of the only input, and that of the only output below it; return their wires, which lead on to the frame. */
function withoutPills({ svg, tables, wires }) {
  const pills = tables.filter(({ rows }) => rows[0]?.querySelector(":scope > .f-terminal"));
  const isRead = ({ rows: [row] }) => wires.some(({ element }) => element.dataset.v === row.dataset.i);
  const [inputs, outputs] = [pills.filter(isRead), pills.filter((pill) => !isRead(pill))];
  const ends = [];
  if (inputs.length !== 1) return ends;
  const [spine] = middleOf(inputs[0]);
  [inputs, outputs].forEach((found, end) => {
    const [pill] = found;
    const own = wires.filter((wire) => wire.tables[end] === pill && isSame(wire.points.at(-end)[0], spine));
    const beyond = (y, height) => (end ? y > pill.y : y + height < pill.y + pill.height);
    const isAcross = ({ x, y, width, height }) => x < spine && spine < x + width && beyond(y, height);
    if (found.length !== 1 || !own.length || tables.some(isAcross)) return;
    tables.splice(tables.indexOf(pill), 1);
    pill.element.remove();
    ends.push(...own.map((wire) => [wire, end]));
    if (!end) svg.dataset.spine = spine;
  });
  return ends;
}

/** Return the x at which a picture starts: the middle of its first box. */
function spineOf(svg) {
  if (svg.dataset.spine) return Number(svg.dataset.spine);
  const first = svg.querySelector(":scope > [data-b]");
  if (!first) return 0;
  const [x, , width] = numbersIn(first.dataset.b);
  const [moved = 0] = numbersIn(first.getAttribute("transform") || "");
  return x + width / 2 + moved;
}

/** Return a picture in a frame with a header that closes it. */
function framed(svg, module, key) {
  const [left, top, innerWidth, innerHeight] = numbersIn(svg.getAttribute("viewBox"));
  const spine = spineOf(svg);
  const times = (module.copies || 1) / (modules.get(parentOf(module.path))?.copies || 1);
  const texts = [nameOf(module), module.type, times > 1 ? `one of ${times} copies` : ""];
  const width = Math.max(innerWidth, 7 * texts.join(" ").length + 90);
  const aside = (width - innerWidth) / 2;
  const element = document.createElementNS(SVG, "g");
  element.setAttribute("class", "inside");
  const height = innerHeight + HEAD;
  const depth = key.split("/").length % 2;
  drawn(element, "rect", { x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 9.5, class: `g${depth} opening` });
  const inner = drawn(element, "g", { transform: `translate(${aside - left} ${HEAD - top})` });
  inner.dataset.picture = svg.dataset.picture;
  inner.append(...svg.childNodes);
  const header = drawn(element, "g", { class: "shut", role: "button", tabindex: 0, "aria-label": `Close ${clean(nameOf(module, ""))}` });
  header.dataset.key = key;
  drawn(header, "rect", { x: 1, y: 1, width: width - 2, height: HEAD, rx: 9, class: "hit" });
  const title = drawn(header, "text", { x: 12, y: 17, class: "t", "font-size": 11 });
  texts.forEach((text, at) => {
    const part = drawn(title, "tspan", { class: at ? "mu" : "t", "font-weight": at ? "normal" : "bold", dx: at && text ? 7 : 0 });
    part.textContent = clean(text);
  });
  drawn(header, "text", { x: width - 12, y: 17, class: "mu", "font-size": 11, "text-anchor": "end" }).textContent = "close ✕";
  return { element, width, height, spine: aside - left + spine };
}

/** Draw the lines between a row and the module opened below it. */
function connect({ element, spine, height }, room) {
  drawn(element, "path", { d: `M${spine} ${-room}V0`, class: "e" });
  drawn(element, "path", { d: headPath([[spine, -room], [spine, 0]]), class: "ah" });
  drawn(element, "path", { d: `M${spine} ${height}V${height + room}`, class: "e" });
}

const rowWith = (key) => [...picture.keys].find(([, other]) => other === key)?.[0];

/** Open or close a module in place; the row stays where it is on the screen. */
function toggle(key) {
  const before = rowWith(key).getBoundingClientRect();
  if (!opened.delete(key)) opened.add(key);
  showPicture(views.get(state.path).levels[state.level]);
  picture.fits = null;
  const row = rowWith(key);
  const after = row.getBoundingClientRect();
  stage.scrollLeft += after.left - before.left;
  stage.scrollTop += after.top - before.top;
  state.thing = null;
  row.focus({ preventScroll: true }); // selects it if it was reached by keyboard
  if (!state.thing) pick(picture.things.get(row));
}

/** Return the rows of the modules that are open in place around a row, outermost first. */
function rowsAround(row) {
  const frame = row?.closest(".inside");
  if (!frame) return [];
  const opener = rowWith(frame.querySelector(":scope > .shut").dataset.key);
  return [...rowsAround(opener), opener];
}

/** Close the module opened below a row, or the one around it; return whether there was one. */
function shut(row) {
  const own = row && picture.keys.get(row);
  const key = own && opened.has(own) ? own : picture.keys.get(rowsAround(row).at(-1));
  if (key) toggle(key);
  return key !== undefined;
}

/** Return the level of the picture and the rows that are open in it, as the end of a URL. */
function openHere(path) {
  const keys = [...opened].filter((key) => key.startsWith(`${path}@${state.level}/`));
  return keys.length ? `;${keys.map((key) => key.slice(path.length + 1))}` : "";
}

/** Open what a URL says, and nothing else, in the picture of a module; return the level, or undefined if nothing is open. */
function reopen(path, ends) {
  const level = Number.parseInt(ends);
  if (!views.get(path).levels[level]) return undefined;
  for (const key of [...opened].filter((each) => each.startsWith(`${path}@${level}/`))) opened.delete(key);
  for (const end of ends.split(",")) opened.add(`${path}@${end}`);
  state.path = null; // draw it again
  return level;
}
