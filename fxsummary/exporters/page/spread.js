/* The geometry of a picture: tables, frames and wires that move apart to make room inside the picture. */

const MARGIN = 16;
const ROOM = 16;
const NEAR = 1.5;
const isSame = (a, b) => Math.abs(a - b) < 0.3; // coordinates are rounded to tenths

const numbersIn = (text) => (text.match(/-?\d+(\.\d+)?/g) || []).map(Number);
const set = (element, attributes) => {
  for (const [key, value] of Object.entries(attributes))
    if (element.getAttribute(key) !== String(value)) element.setAttribute(key, value); // what stays is not laid out again
  return element;
};
/** Insert the children that an element lacks, each before the one that follows it. */
function fill(element, children) {
  for (let at = children.length - 1; at >= 0; at--)
    if (children[at].parentNode !== element) element.insertBefore(children[at], children[at + 1] ?? null);
}

const drawn = (parent, name, attributes) => parent.appendChild(set(document.createElementNS(SVG, name), attributes));

/** Take a picture apart into tables, frames, wires and loose texts, with their places. */
function partsOf(picture) {
  const groups = [...picture.querySelectorAll(":scope > g:not([data-b], .around)")]; // frames, then their headers
  const tables = [...picture.querySelectorAll(":scope > [data-b]")].map((element) => {
    const table = tableOf(element, ...numbersIn(element.dataset.b));
    const outline = element.querySelector(":scope > rect.line:not(:first-child)");
    const { y, height } = outline ? rectOf(outline) : {};
    const whole = { elements: [element], children: [...element.children], cut: String(table.rows.length), outline, y, height };
    return { ...table, whole };
  });
  const frames = groups.slice(0, groups.length / 2).map((group, at) => {
    const sheets = [group.firstElementChild];
    for (let before = group.previousElementSibling; before?.matches("rect"); before = before.previousElementSibling)
      sheets.push(before);
    const { x, y, width, height } = rectOf(sheets[0]);
    const from = { left: x, top: y, right: x + width, bottom: y + height };
    const header = groups[groups.length / 2 + at];
    return { sheets: sheets.map((sheet) => ({ sheet, ...rectOf(sheet) })), header, ...from, from };
  });
  const wires = [...picture.querySelectorAll(":scope > path.e, :scope > path.sk")].map((element) => {
    const next = element.nextElementSibling;
    const head = next?.matches(".ah, .ahs") ? next : null;
    const points = pointsOf(element);
    const paths = [element, head].map((each) => each?.getAttribute("d"));
    return { element, head, points, drawnAs: { points, paths }, ends: [] };
  });
  for (const wire of wires) wire.tables = [wire.points[0], wire.points.at(-1)].map((end) => tables.find((table) => touches(table, end)));
  const texts = [...picture.querySelectorAll(":scope > text, :scope > circle")].map((element) => tableOf(element, ...placeOfText(element), 0, 0));
  return { tables, frames, wires, texts, first: tables[0] };
}

const rectOf = (rect) => Object.fromEntries(["x", "y", "width", "height"].map((name) => [name, Number(rect.getAttribute(name))]));
const placeOfText = (element) => ["x", "y"].map((axis) => Number(element.getAttribute(axis) ?? element.getAttribute(`c${axis}`)));
const tableOf = (element, x, y, width, height) => ({
  element, x, y, width, height, from: [x, y], rows: [...element.querySelectorAll(":scope > [data-i]")],
});

/** Return parts that can be moved, with the same elements. */
function copied({ tables, frames, wires, texts, first }) {
  const copy = (each) => ({ ...each, isDrawn: false });
  const copies = new Map(tables.map((table) => [table, copy(table)]));
  const wire = (each) => ({ ...copy(each), tables: each.tables.map((table) => copies.get(table)) });
  return { tables: [...copies.values()], frames: frames.map(copy), wires: wires.map(wire), texts: texts.map(copy), first: copies.get(first) };
}

/** Return the corners of a wire: the ends of its path, and the control points of its arcs. */
function pointsOf(path) {
  const corners = [...path.getAttribute("d").matchAll(/([MQ])(-?[\d.]+) (-?[\d.]+)/g)].map((found) => [+found[2], +found[3]]);
  return [...corners, numbersIn(path.getAttribute("d")).slice(-2)];
}

/** Return the path of a line with rounded corners. */
function roundedPath(points) {
  const toward = ([x, y], [toX, toY], part) => `${x + (toX - x) * part} ${y + (toY - y) * part}`;
  const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
  const arcs = points.slice(1, -1).map((corner, at) => {
    const [before, after] = [points[at], points[at + 2]];
    const radius = Math.min(8, far(before, corner) / 2, far(corner, after) / 2);
    return `L${toward(corner, before, radius / far(before, corner))}Q${corner.join(" ")} ${toward(corner, after, radius / far(corner, after))}`;
  });
  return `M${points[0].join(" ")}${arcs.join("")}L${points.at(-1).join(" ")}`;
}

/** Return the path of the arrowhead at the end of a line. */
function headPath(points) {
  const [[fromX, fromY], [x, y]] = points.slice(-2);
  const length = Math.hypot(x - fromX, y - fromY) || 1;
  const [ux, uy] = [(x - fromX) / length, (y - fromY) / length];
  const side = (sign) => `L${x - ux * 6.5 + sign * uy * 3.4} ${y - uy * 6.5 - sign * ux * 3.4}`;
  return `M${x} ${y}${side(-1)}${side(1)}Z`;
}

/* --- making room ------------------------------------------------------------------------------- */

const middleOf = (table) => [table.x + table.width / 2, table.y + table.height / 2];

/** Return the x between which the part of the column lies that contains x; wires that lead up separate parts. */
function columnAt(parts, x) {
  const isClear = (at) => ![...parts.tables.map((t) => [t.x, t.x + t.width]), ...parts.frames.map((f) => [f.left, f.right])]
    .some(([left, right]) => left <= at && at <= right);
  const up = parts.wires.flatMap(({ points }) => segmentsOf(points).filter(([a, b]) => isSame(a[0], b[0]) && b[1] < a[1] - 1));
  const between = up.map(([[at]]) => at).filter(isClear);
  return [Math.max(-Infinity, ...between.filter((at) => at < x)), Math.min(Infinity, ...between.filter((at) => at > x))];
}

const segmentsOf = (points) => points.slice(1).map((point, at) => [points[at], point]);

/** Split a table below a row; return the lower part, or null if the row is its last one. */
function split(parts, table, row) {
  const at = table.rows.indexOf(row) + 1;
  if (at === table.rows.length) return null;
  const height = (table.height / table.rows.length) * at;
  const [x, y] = table.from;
  const made = { ...table, y: table.y + height, height: table.height - height, from: [x, y + height], rows: table.rows.slice(at), isLower: true };
  Object.assign(table, { height, rows: table.rows.slice(0, at), lower: made });
  parts.tables.push(made);
  release(parts, table, made);
  return made;
}

/** Attach the ends of wires that no longer touch a table to another one, or to none. */
function release(parts, table, to) {
  for (const { tables, points } of parts.wires)
    for (const end of [0, 1])
      if (tables[end] === table && !touches(table, points.at(-end))) tables[end] = to;
}

/** Put an opened module below a row: move everything below it down, and everything next to it aside. */
function insert(parts, row, inner) {
  const table = parts.tables.find(({ rows }) => rows.includes(row));
  const lower = split(parts, table, row);
  const [centre] = middleOf(table);
  const cut = table.y + table.height;
  const space = inner.height + 2 * ROOM;
  const column = columnAt(parts, centre);
  const isBelow = (x, y) => y >= cut - 0.5 && column[0] < x && x < column[1];
  const down = (each) => (each === lower || (each !== table && isBelow(...middleOf(each))) ? space : 0);
  shift(parts, () => 0, (x, y) => (isBelow(x, y) ? space : 0), (each, y) => (each === table && !lower && y >= cut - 0.5 ? space : down(each)));
  release(parts, table, undefined); // they start below what was opened
  const [left, right] = obstacles(parts, [table, lower], centre, cut, cut + space);
  const asideLeft = Math.max(0, left - (centre - inner.spine - ROOM));
  const asideRight = Math.max(0, centre + inner.width - inner.spine + ROOM - right);
  const aside = (x) => (x <= left + 0.1 ? -asideLeft : x >= right - 0.1 ? asideRight : 0);
  if (asideLeft || asideRight) shift(parts, aside, () => 0, () => 0);
  const { element, width, height, spine } = inner;
  parts.tables.push({ element, frame: inner, x: centre - spine, y: cut + ROOM, width, height, from: [0, 0], rows: [] });
}

/** Return the x of the nearest things to the left and right of a spine between two heights. */
function obstacles(parts, own, spine, top, bottom) {
  const found = [];
  const add = (left, right, from, to) => from < bottom - 1 && to > top + 1 && found.push([left, right]);
  for (const each of parts.tables) if (!own.includes(each)) add(each.x, each.x + each.width, each.y, each.y + each.height);
  for (const each of parts.frames) for (const x of [each.left, each.right]) add(x, x, each.top, each.bottom);
  for (const { points } of parts.wires)
    for (const [a, b] of segmentsOf(points)) add(Math.min(a[0], b[0]), Math.max(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[1], b[1]));
  const left = found.filter(([from, to]) => (from + to) / 2 < spine - 1).map(([, to]) => to);
  const right = found.filter(([from, to]) => (from + to) / 2 > spine + 1).map(([from]) => from);
  return [Math.max(-Infinity, ...left), Math.min(Infinity, ...right)];
}

/** Move everything: frames and corners of wires by their place, tables as a whole, ends of wires with their tables. */
function shift(parts, dx, dy, ofTable) {
  const moved = (table, y) => [dx(middleOf(table)[0]), ofTable(table, y)];
  for (const wire of parts.wires) {
    const { points } = wire;
    const ends = wire.tables.map((table, end) => table && moved(table, points.at(-end)[1]));
    const ways = points.map(([x, y]) => [dx(x), dy(x, y)]);
    wire.points = points.map(([x, y], at) => [x + ways[at][0], y + ways[at][1]]);
    const isWhole = [...ways, ...ends].every((way) => !way || (way[0] === ways[0][0] && way[1] === ways[0][1]));
    if (!isWhole) wire.points = bent(points, wire.points, ends);
  }
  for (const each of [...parts.tables, ...parts.texts]) {
    const [x, y] = parts.texts.includes(each) ? [dx(each.x), dy(each.x, each.y)] : moved(each, each.y);
    each.x += x;
    each.y += y;
  }
  for (const frame of parts.frames) {
    const [top, bottom] = [frame.top, frame.bottom].map((y) => y + dy((frame.left + frame.right) / 2, y));
    Object.assign(frame, { top, bottom, left: frame.left + dx(frame.left), right: frame.right + dx(frame.right) });
  }
}

const isWithin = (at, from, length) => from - NEAR <= at && at <= from + length + NEAR;
const touches = (table, end) => isWithin(end[1], table.y, table.height) && isWithin(end[0], table.x, table.width);

/** Return the corners of a wire of which only a part has moved. */
function bent(old, now, ends) {
  level(old, now);
  if (ends[0]) follow(old, now, ends[0]);
  if (ends[1]) follow(old.toReversed(), now.toReversed(), ends[1]);
  return straight(now);
}

/** Keep horizontal lines between parts of a column horizontal. */
function level(old, now) {
  for (let at = 1; at < old.length; at++)
    if (isSame(old[at][1], old[at - 1][1])) now[at][1] = now[at - 1][1] = Math.max(now[at][1], now[at - 1][1]);
}

/** Let the end of a wire move with its table: the first corner, and those on the same line. */
function follow(old, now, by) {
  for (const axis of [0, 1])
    for (let at = 0; at < old.length && isSame(old[at][axis], old[0][axis]); at++)
      now[at][axis] = old[0][axis] + by[axis];
}

/** Return corners with a step where a line is neither horizontal nor vertical. */
function straight(points) {
  const step = ([a, b]) => (isSame(a[0], b[0]) || isSame(a[1], b[1]) ? [] : [[a[0], (a[1] + b[1]) / 2], [b[0], (a[1] + b[1]) / 2]]);
  return [points[0], ...segmentsOf(points).flatMap((segment) => [...step(segment), segment[1]])];
}

/* --- drawing ----------------------------------------------------------------------------------- */

/** Cut tables and draw frames; `drawPart` draws the rest where the reader is. Return the box around everything. */
function redraw(parts) {
  for (const table of parts.tables) if (table.whole && !table.isLower) cut(table);
  const corners = [
    ...parts.tables.filter(({ isGone }) => !isGone).flatMap(({ x, y, width, height }) => [[x, y], [x + width, y + height]]),
    ...parts.frames.flatMap(({ left, right, top, bottom }) => [[left, top], [right, bottom]]),
    ...parts.wires.flatMap(({ points }) => points),
  ];
  const ends = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
  const [left, top] = ends.map((values) => Math.min(...values) - MARGIN);
  const [right, bottom] = ends.map((values) => Math.max(...values) + MARGIN);
  for (const table of parts.tables) tableAt.set(table.element, table);
  for (const wire of parts.wires)
    for (const end of wire.ends) wire.points = wire.points.with(-end, [wire.points.at(-end)[0], end ? bottom : top]);
  parts.frames.forEach(drawFrame);
  return [left, top, right - left, bottom - top];
}

function moveTo(element, x, y) {
  if (x || y) set(element, { transform: `translate(${x} ${y})` });
  else element.removeAttribute("transform");
}

/** Give each part of a table an element of its own. */
function cut(table) {
  const { whole } = table;
  const parts = [table];
  while (parts.at(-1).lower) parts.push(parts.at(-1).lower);
  const rows = parts.map((part) => part.rows.length).join();
  if (whole.cut !== rows) {
    whole.elements.splice(1).forEach((each) => each.remove());
    fill(table.element, whole.children);
    for (const part of parts.slice(1)) whole.elements.push(cutOff(part, whole.elements.at(-1)));
    if (whole.outline) outlineParts(parts, whole);
    whole.cut = rows;
  }
  parts.forEach((part, at) => (part.element = whole.elements[at]));
}

/** Move the rows of a part of a table, and the signs of changed rows, from an element into a new one below it. */
function cutOff({ rows, from }, upper) {
  const lower = upper.cloneNode(false);
  upper.after(lower);
  lower.append(...rows, ...[...upper.children].filter((each) => each.matches("circle, text") && placeOfText(each)[1] > from[1]));
  return lower;
}

/** Draw the outline of a table around each of its parts. */
function outlineParts(parts, { elements, outline, y, height }) {
  parts.forEach((part, at) => {
    const above = part.from[1] - parts[0].from[1];
    const own = at ? elements[at].appendChild(outline.cloneNode()) : outline;
    set(own, { y: y + above, height: part.lower ? part.height - 1 : height - above });
  });
}

/** Draw a wire: moved if it keeps its form, which is quicker than to draw it again. */
function drawWire({ element, head, points, drawnAs }) {
  const old = drawnAs.points;
  const by = [0, 1].map((axis) => points[0][axis] - old[0][axis]);
  const keeps = points.length === old.length && points.every((point, at) => by.every((way, axis) => Math.abs(point[axis] - old[at][axis] - way) < 0.01));
  const paths = keeps ? drawnAs.paths : [roundedPath(points), headPath(points)];
  [element, head].forEach((each, at) => each && moveTo(set(each, { d: paths[at] }), ...(keeps ? by : [0, 0])));
}

function drawFrame({ sheets, header, from, ...frame }) {
  const [dx, dy] = [frame.left - from.left, frame.top - from.top];
  const [wider, taller] = [frame.right - from.right - dx, frame.bottom - from.bottom - dy];
  for (const { sheet, x, y, width, height } of sheets)
    set(sheet, { x: x + dx, y: y + dy, width: width + wider, height: height + taller });
  for (const part of header.children) moveTo(part, part.matches("text:not([text-anchor])") ? dx : dx + wider, dy);
}
