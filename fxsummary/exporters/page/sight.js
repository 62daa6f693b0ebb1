/* What lies far from the stage in a large picture: it is neither moved, laid out nor painted until the reader comes near.
 *
 * Browsers lay out a <g> that is hidden, but not an <a>, so rows and opened modules are <a> without a link. */

const MANY = 300; // rows of a picture that is drawn in part
const AROUND = 300; // pixels around the stage that are drawn
const NOWHERE = [Infinity, Infinity, -Infinity, -Infinity];
const EVERYWHERE = [-Infinity, -Infinity, Infinity, Infinity];

const isLarge = ({ things }) => things.size > MANY;

/** Draw the part of a picture that is on the stage or near it, and what the Tab key leads to; all of a small picture. */
function showNear(where) {
  if (!where.place || !where.stage.clientWidth || !(isLarge(where) || where.isPart)) return;
  const near = nearTo(where);
  const little = (near[2] - near[0]) / 20;
  if (where.near?.every((edge, at) => Math.abs(edge - near[at]) < little)) bringBackFocus(where);
  else draw(where, near);
}

/** Draw a part of a large picture, or all of a small one. */
function draw(where, near) {
  if (isLarge(where) || where.place.moved) hideFar(where.place, isLarge(where) ? near : EVERYWHERE);
  Object.assign(where, { near, isPart: isLarge(where) });
  bringBackFocus(where);
  prepare(where);
}

/** Draw what has the focus, and what the Tab key leads to from there. */
function bringBackFocus({ svg }) {
  if (svg.contains(document.activeElement)) [document.activeElement, ...besideInOrder(document.activeElement, svg)].forEach(bringBack);
}

/** Return left, top, right and bottom of what is near the stage, in units of the picture. */
function nearTo({ svg, stage, place: { own: [left, top, width] } }) {
  const [all, seen] = [svg, stage].map((each) => each.getBoundingClientRect());
  const unit = width / all.width;
  const at = (x, y) => [left + (x - all.left) * unit, top + (y - all.top) * unit];
  return [...at(seen.left - AROUND, seen.top - AROUND), ...at(seen.right + AROUND, seen.bottom + AROUND)];
}

const tableAt = new WeakMap(); // by its element

/** Move a table, a wire or a text to its place, once after each change. */
function drawPart(part) {
  if (part.isDrawn) return;
  part.isDrawn = true;
  if (part.points) drawWire(part);
  else moveTo(part.element, part.x - part.from[0], part.y - part.from[1]);
}

/** Move all parts of a picture to their places, also in the modules that are open. */
function drawParts({ moved }) {
  for (const part of moved ? [...moved.tables, ...moved.wires, ...moved.texts] : []) {
    drawPart(part);
    if (part.frame) drawParts(part.frame.place);
  }
}

/** Hide what lies outside of a part of a picture, and show what lies in it, also in the modules that are open. */
function hideFar(place, [left, top, right, bottom]) {
  place.parts ??= partsOf(place.element);
  const { tables, wires, texts } = (place.moved ??= place.parts);
  const hide = (elements, fromX, fromY, toX, toY, part) => {
    const isFar = toX < left || fromX > right || toY < top || fromY > bottom;
    for (const each of elements) each?.toggleAttribute("data-far", isFar);
    if (part && !isFar) drawPart(part);
    return isFar;
  };
  for (const table of tables) {
    const { element, x, y, width, height, frame, rows } = table;
    const wasFar = element.hasAttribute("data-far");
    const isFar = hide([element], x, y, x + width, y + height, table);
    if (isFar && wasFar) continue;
    if (frame) {
      const [dx, dy] = [x + frame.at[0], y + frame.at[1]];
      hideFar(frame.place, [left - dx, top - dy, right - dx, bottom - dy]);
      continue;
    }
    const edge = (at) => y + (height / rows.length) * at;
    rows.forEach((row, at) => hide([row], x, edge(at), x + width, edge(at + 1)));
    hide([...element.children].filter((each) => each.dataset.i === undefined), x, y, x + width, y + height);
  }
  for (const wire of wires) {
    const [across, down] = [0, 1].map((axis) => wire.points.map((point) => point[axis]));
    hide([wire.element, wire.head], Math.min(...across), Math.min(...down), Math.max(...across), Math.max(...down), wire);
  }
  for (const text of texts) hide([text.element], text.x, text.y, text.x, text.y, text);
}

/** Draw an element, wherever it lies. */
function bringBack(element) {
  for (let each = element; each.ownerSVGElement; each = each.parentNode) {
    each.removeAttribute("data-far");
    if (tableAt.has(each)) drawPart(tableAt.get(each));
  }
}

/** Return the elements that the Tab key leads to from another. */
function besideInOrder(element, svg) {
  const accept = (each) => (each.getAttribute("tabindex") === "0" ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_SKIP);
  const next = (way) => {
    const walker = document.createTreeWalker(svg, NodeFilter.SHOW_ELEMENT, accept);
    walker.currentNode = element;
    return walker[way]();
  };
  return ["previousNode", "nextNode"].map(next).filter(Boolean);
}

for (const kind of ["scroll", "focusin"])
  document.addEventListener(kind, ({ target }) => {
    if (target.closest?.(".stage")) showNear(whereIs(target));
  }, { capture: true, passive: true });
const resized = new ResizeObserver((stages) => stages.forEach(({ target }) => showNear(whereIs(target))));
document.querySelectorAll(".stage").forEach((each) => resized.observe(each));
