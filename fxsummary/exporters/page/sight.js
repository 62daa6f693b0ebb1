/* What lies far from the stage in a large picture: it is neither laid out nor painted until the reader comes near.
 *
 * Browsers lay out a <g> that is hidden, but not an <a>, so rows and opened modules are <a> without a link. */

const MANY = 300; // rows of a picture that is drawn in part
const AROUND = 600; // pixels around the stage that are drawn
const NOWHERE = [Infinity, Infinity, -Infinity, -Infinity];
const EVERYWHERE = [-Infinity, -Infinity, Infinity, Infinity];

const isLarge = ({ things }) => things.size > MANY;

/** Draw the part of a picture that is on the stage or near it, and what the Tab key leads to; all of a small picture. */
function showNear(where) {
  const { svg, place, stage, isPart } = where;
  if (!place || !stage.clientWidth || !(isLarge(where) || isPart)) return;
  hideFar(place, isLarge(where) ? nearTo(svg, stage, place.own) : EVERYWHERE);
  where.isPart = isLarge(where);
  if (svg.contains(document.activeElement)) [document.activeElement, ...besideInOrder(document.activeElement, svg)].forEach(bringBack);
}

/** Return left, top, right and bottom of what is near the stage, in units of the picture. */
function nearTo(svg, stage, [left, top, width]) {
  const [all, seen] = [svg, stage].map((each) => each.getBoundingClientRect());
  const unit = width / all.width;
  const at = (x, y) => [left + (x - all.left) * unit, top + (y - all.top) * unit];
  return [...at(seen.left - AROUND, seen.top - AROUND), ...at(seen.right + AROUND, seen.bottom + AROUND)];
}

/** Hide what lies outside of a part of a picture, and show what lies in it, also in the modules that are open. */
function hideFar(place, [left, top, right, bottom]) {
  place.parts ??= partsOf(place.element);
  const { tables, wires, texts } = (place.moved ??= place.parts);
  const hide = (elements, fromX, fromY, toX, toY) => {
    const isFar = toX < left || fromX > right || toY < top || fromY > bottom;
    for (const each of elements) each?.toggleAttribute("data-far", isFar);
    return isFar;
  };
  for (const { element, x, y, width, height, frame, rows } of tables) {
    const wasFar = element.hasAttribute("data-far");
    const isFar = hide([element], x, y, x + width, y + height);
    if (isFar && wasFar) continue;
    if (frame) {
      const [dx, dy] = [x + frame.at[0], y + frame.at[1]];
      if (!isFar) hideFar(frame.place, [left - dx, top - dy, right - dx, bottom - dy]);
      continue;
    }
    const edge = (at) => y + (height / rows.length) * at;
    rows.forEach((row, at) => hide([row], x, edge(at), x + width, edge(at + 1)));
    hide([...element.children].filter((each) => each.dataset.i === undefined), x, y, x + width, y + height);
  }
  for (const { element, head, points } of wires) {
    const [across, down] = [0, 1].map((axis) => points.map((point) => point[axis]));
    hide([element, head], Math.min(...across), Math.min(...down), Math.max(...across), Math.max(...down));
  }
  for (const { element, x, y } of texts) hide([element], x, y, x, y);
}

/** Hide a new picture, if it is large, until it is known what of it is near the stage. */
function hideNew(place) {
  if (!isLarge(place.where)) return;
  hideFar(place, NOWHERE);
  place.where.isPart = true;
}

/** Draw an element, wherever it lies. */
function bringBack(element) {
  for (let far = element.closest("[data-far]"); far; far = far.parentNode.closest("[data-far]")) far.removeAttribute("data-far");
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
