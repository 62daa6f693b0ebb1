/* Modules that are open in place: their pictures inside the picture on the stage. */

const opened = new Set(); // keys of the rows that are open: the view, its level, and the numbers of the rows down to it
const HEAD = 24;

/** Return a picture with named rows: its element, the rows that open, its box, and once something is open in it, its parts.
 *
 * `where` is what shows it: the stage, or one of two sides, whose keys are numbers of modules, which both have.
 */
function placed(level, trail, where, isInside = false) {
  const { svg, parts } = ready.get(level.picture) ?? { svg: pictureOf(level.picture) };
  ready.delete(level.picture);
  svg.dataset.picture = level.picture;
  const own = numbersIn(svg.getAttribute("viewBox"));
  const place = { element: svg, number: level.picture, where, isInside, rows: [], parts, own, box: own };
  for (const row of svg.querySelectorAll("[data-n]")) {
    const thing = meant(level.rows[row.dataset.n]);
    if (!thing) continue;
    name(row, thing, row.dataset.i === undefined ? "-1" : "0", where);
    if (!row.querySelector(".open")) continue;
    const key = `${trail}/${where === picture ? row.dataset.n : data.modules.indexOf(thing.module)}`;
    where.keys.set(row, key);
    place.rows.push({ row, key, module: thing.module, frame: null, closed: null });
  }
  for (const frame of svg.querySelectorAll("[data-m]"))
    name(frame, ofModule(data.modules[level.frames[frame.dataset.m]]), "-1", where);
  if (isInside) place.parts = withoutPills(parts ?? partsOf(svg), where);
  return place;
}

/** Forget which modules are open inside of modules that are closed in the picture with the keys that start so. */
function forget(trail) {
  for (const key of opened) {
    const numbers = key.startsWith(`${trail}/`) ? key.slice(trail.length + 1).split("/") : [];
    if (numbers.some((_, at) => !opened.has([trail, ...numbers.slice(0, at + 1)].join("/")))) opened.delete(key);
  }
}

/** Open and close modules in a picture as `opened` says, and make room; only `key`, in it or further inside, has changed. */
function arrange(place, key = "") {
  for (const each of place.rows) {
    const isOpen = opened.has(each.key);
    if (isOpen && !each.frame) each.frame = each.closed ? back(each.closed, place.where) : framed(each, place.where);
    else if (isOpen && key.startsWith(`${each.key}/`)) {
      arrange(each.frame.place, key);
      resize(each.frame);
    } else if (!isOpen && each.frame) {
      each.closed = { frame: each.frame, names: remove(each.frame.element, place.where) };
      each.frame = null;
    }
    set(each.row, { "aria-expanded": isOpen });
  }
  const open = place.rows.filter(({ frame }) => frame);
  if (open.length || place.isInside || place.parts) makeRoom(place, open);
  if (!open.length && !place.isInside) place.box = place.own;
}

/** Put the frames of the modules that are open into a picture, in the order of their rows. */
function makeRoom(place, open) {
  place.parts ??= partsOf(place.element);
  const parts = copied(place.parts);
  for (const { row, frame } of open) insert(parts, row, frame);
  fill(place.element, open.map(({ frame }) => frame.element));
  place.spine = parts.first ? middleOf(parts.first)[0] : 0;
  place.box = redraw(parts);
  place.moved = parts;
}

/** Take an opened module out of the picture; return its rows with what they mean and their keys. */
function remove(element, { things, keys }) {
  const names = [...element.querySelectorAll("[data-n], [data-m]")].map((each) => [each, things.get(each), keys.get(each)]);
  for (const [each] of names) {
    things.delete(each);
    keys.delete(each);
  }
  element.remove();
  return names;
}

/** Return the frame of a module that was open before, with the modules inside that were open. */
function back({ frame, names }, { things, keys }) {
  for (const [each, thing, key] of names) {
    if (thing) things.set(each, thing);
    if (key) keys.set(each, key);
  }
  return frame;
}

/** Take out the pill of the only input, and that of the only output below it; their wires lead on to the frame. */
function withoutPills(parts, where) {
  const { tables, wires } = parts;
  const pills = tables.filter(({ rows }) => rows[0]?.querySelector(":scope > .f-terminal"));
  const isRead = ({ rows: [row] }) => wires.some(({ element }) => element.dataset.v === row.dataset.i);
  const [inputs, outputs] = [pills.filter(isRead), pills.filter((pill) => !isRead(pill))];
  if (inputs.length !== 1) return parts;
  const [spine] = middleOf(inputs[0]);
  [inputs, outputs].forEach((found, end) => {
    const [pill] = found;
    const own = wires.filter((wire) => wire.tables[end] === pill && isSame(wire.points.at(-end)[0], spine));
    const beyond = (y, height) => (end ? y > pill.y : y + height < pill.y + pill.height);
    const isAcross = ({ x, y, width, height }) => x < spine && spine < x + width && beyond(y, height);
    if (found.length !== 1 || !own.length || tables.some((each) => !each.isGone && isAcross(each))) return;
    pill.isGone = true;
    remove(pill.element, where);
    for (const wire of own) {
      wire.ends.push(end);
      if (end) wire.head?.remove();
    }
  });
  if (!inputs[0].isGone) parts.first = tables.find(({ isGone }) => !isGone);
  return parts;
}

/** Return the frame of an opened module: its picture below a header that closes it, and lines from and to the row. */
function framed({ module, key }, where) {
  const place = placed(where.levelOf(module), key, where, true);
  const times = (module.copies || 1) / (modules.get(parentOf(module.path))?.copies || 1);
  const texts = [nameOf(module), module.type, times > 1 ? `one of ${times} copies` : ""];
  const element = document.createElementNS(SVG, "a");
  element.setAttribute("class", "inside");
  const opening = drawn(element, "rect", { x: 0.5, y: 0.5, rx: 9.5, class: `g${key.split("/").length % 2} opening` });
  const inner = drawn(element, "g", {});
  inner.dataset.picture = place.element.dataset.picture;
  inner.append(...place.element.childNodes);
  place.element = inner;
  const header = drawn(element, "g", { class: "shut", role: "button", tabindex: 0, "aria-label": `Close ${clean(nameOf(module, ""))}` });
  header.dataset.key = key;
  const hit = drawn(header, "rect", { x: 1, y: 1, height: HEAD, rx: 9, class: "hit" });
  const title = drawn(header, "text", { x: 12, y: 17, class: "t", "font-size": 11 });
  texts.forEach((text, at) => {
    const part = drawn(title, "tspan", { class: at ? "mu" : "t", "font-weight": at ? "normal" : "bold", dx: at && text ? 7 : 0 });
    part.textContent = clean(text);
  });
  const close = drawn(header, "text", { y: 17, class: "mu", "font-size": 11, "text-anchor": "end" });
  close.textContent = "close ✕";
  const lines = ["e", "ah", "e"].map((kind) => drawn(element, "path", { class: kind }));
  const frame = { element, place, opening, hit, close, lines, least: 7 * texts.join(" ").length + 90 };
  arrange(place);
  resize(frame);
  return frame;
}

/** Give the frame of an opened module the size of its picture. */
function resize(frame) {
  const { place, opening, hit, close, lines } = frame;
  const [left, top, innerWidth, innerHeight] = place.box;
  const [width, height] = [Math.max(innerWidth, frame.least), innerHeight + HEAD];
  const aside = (width - innerWidth) / 2;
  const spine = aside - left + place.spine;
  set(opening, { width: width - 1, height: height - 1 });
  const at = [aside - left, HEAD - top];
  set(place.element, { transform: `translate(${at.join(" ")})` });
  set(hit, { width: width - 2 });
  set(close, { x: width - 12 });
  const paths = [`M${spine} ${-ROOM}V0`, headPath([[spine, -ROOM], [spine, 0]]), `M${spine} ${height}V${height + ROOM}`];
  lines.forEach((line, at) => set(line, { d: paths[at] }));
  Object.assign(frame, { width, height, spine, at });
}

const rowWith = (key, { keys } = picture) => [...keys].find(([, other]) => other === key)?.[0];
const whereIs = (element) => (sides.on && paneAt(element)) || picture;

/** Open or close a module in place, on both sides if there are two; the row stays where it is on the screen.
 *
 * What is measured before is measured when nothing has changed yet, so that the browser lays out all changes at once.
 */
function toggle(key, where = picture) {
  const row = rowWith(key, where);
  bringIntoView(row, where.stage);
  const before = row.getBoundingClientRect();
  const from = placeInSvg(row);
  const near = onScreen().map(nearTo);
  if (!opened.delete(key)) opened.add(key);
  for (const each of onScreen()) {
    arrange(each.place, key);
    scale(each, sides.on ? sides.zoom : picture.zoom);
  }
  (sides.on ? sides : picture).fits = null;
  const by = placeInSvg(row).map((at, axis) => at - from[axis]);
  onScreen().forEach((each, at) => draw(each, each === where ? near[at].map((edge, side) => edge + by[side % 2]) : near[at]));
  paintHeat();
  const after = row.getBoundingClientRect();
  where.stage.scrollLeft += after.left - before.left;
  where.stage.scrollTop += after.top - before.top;
  onScreen().forEach(showNear);
  state.thing = null;
  getSelection().removeAllRanges(); // a double click selects a word
  row.focus({ preventScroll: true }); // selects it if it was reached by keyboard
  if (!state.thing) pick(where.things.get(row));
}

/** Open or close what was clicked, a chip or a header; return whether there was one. */
function toggleAt({ target }) {
  const header = target.closest(".shut");
  if (header) toggle(header.dataset.key, whereIs(header));
  else if (target.closest(".open")) openRow(target.closest("[data-i]"));
  return Boolean(header || target.closest(".open"));
}

/** Open or close the module of a row in place. */
function openRow(row) {
  const where = row && whereIs(row);
  const key = where?.keys.get(row);
  if (key) toggle(key, where);
}

/** Return the rows of the modules that are open in place around a row, outermost first. */
function rowsAround(row) {
  const frame = row?.closest(".inside");
  if (!frame) return [];
  const opener = rowWith(frame.querySelector(":scope > .shut").dataset.key, whereIs(frame));
  return [...rowsAround(opener), opener];
}

/** Close the module opened below a row, or the one around it; return whether there was one. */
function shut(row) {
  const where = whereIs(row);
  const own = where.keys.get(row);
  const key = opened.has(own) ? own : where.keys.get(rowsAround(row).at(-1));
  if (key) toggle(key, where);
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
