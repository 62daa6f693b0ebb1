/* Both models of a comparison, side by side: what is selected is marked in both pictures. */

const sides = { element: byId("sides"), on: false, level: data.sides?.start ?? 0, zoom: 1, fits: true, panes: [] };

/** Return what is on screen: the picture on the stage, or the two sides. */
const onScreen = () => (sides.on ? sides.panes : [picture]);

/** Return what rows cost in one of the two models, as `cost` does for the page. */
function costsOn(at) {
  const costs = new Map(Object.entries(data.sides.costs[at]).map(([number, each]) => [recordOf(meant(Number(number))), each]));
  return (thing, measure) => costs.get(recordOf(thing))?.[["flops", "parameters", "memory"].indexOf(measure)] ?? 0;
}

/** Show both models at a level; what has no number on the page cannot be selected. */
function showSides() {
  forget(`sides ${sides.level}`);
  sides.panes = data.sides.levels[sides.level].map((level, at) => {
    const section = sides.element.children[at];
    const levelOf = (module) => data.sides.inside[at][data.modules.indexOf(module)];
    const [half, note] = [section.querySelector(".stage"), section.querySelector("small")];
    const pane = { stage: half, note, things: new Map(), keys: new Map(), marks: [], levelOf, costOn: costsOn(at), isBefore: at === 0 };
    pane.place = placed(level, `sides ${sides.level}`, pane);
    pane.svg = pane.place.element;
    pane.svg.setAttribute("role", "group");
    half.replaceChildren(h("div.sheet", pane.svg));
    arrange(pane.place);
    draw(pane, NOWHERE); // until it is known what is near the stage
    return pane;
  });
  paintHeat();
  fitSides();
}

/** Return whether one of the two models does not have something. */
const lacks = (pane, thing) => recordOf(thing).change === (pane === sides.panes[0] ? "added" : "removed");

/** Return the row of something in one of the two pictures, or that of the module around it; null if it has none. */
function counterpart(pane, thing) {
  const { module, operation } = thing;
  let row = rowIn(pane, thing);
  if (row || lacks(pane, thing)) return row;
  for (let path = module ? parentOf(module.path) : operation.module; path && !row; path = parentOf(path))
    row = rowIn(pane, ofModule(modules.get(path)));
  return row;
}

/** Mark something in both pictures, and scroll to it. */
function markSides(thing) {
  for (const pane of sides.panes) {
    unmark(pane);
    const row = thing && counterpart(pane, thing);
    if (row) {
      outline(row, "");
      bringIntoView(row, pane.stage);
    }
    pane.note.textContent = thing && lacks(pane, thing) ? "not in this model" : "";
  }
}

const sideThing = (row) => sides.panes.map((pane) => pane.things.get(row)).find(Boolean);
const paneAt = (element) => sides.panes.find((pane) => pane.stage.contains(element));
const paneInUse = () => paneAt(document.activeElement) || sides.panes[0];

/** Change between both models side by side, and both in one picture. */
function setSides(on) {
  sides.on = on;
  sides.element.hidden = !on;
  stage.hidden = on;
  document.querySelector(`[name="arrangement"][value="${on ? "sides" : "one"}"]`).checked = true;
  if (on) showSides();
  else {
    paintHeat();
    fit(true);
  }
  showLevel();
  select(state.thing);
}

/** Zoom both pictures alike. */
function zoomSides(zoom) {
  sides.zoom = Math.min(4, Math.max(0.1, zoom));
  sides.fits = false;
  for (const pane of sides.panes) {
    scale(pane, sides.zoom);
    showNear(pane);
  }
  showZoom(sides.zoom);
}

/** Fit the wider picture to the width of its half, as far as it stays legible. */
function fitSides() {
  const across = sides.panes.map(({ stage, place }) => (stage.clientWidth - 24) / place.box[2]);
  zoomSides(Math.min(1.25, Math.max(LEGIBLE, Math.min(...across))));
  sides.fits = true;
  for (const pane of sides.panes) pane.stage.scrollLeft = (pane.stage.scrollWidth - pane.stage.clientWidth) / 2;
}

const fitShown = () => (sides.on ? fitSides() : fit());
const zoomShown = (change) => (sides.on ? zoomSides(change(sides.zoom)) : zoomTo(change(picture.zoom)));

/** Open or close modules in both pictures. */
function stepSides(by) {
  const level = sides.level + by;
  if (level < 0 || level >= data.sides.levels.length) return;
  sides.level = level;
  showSides();
  showLevel();
  markSides(state.thing);
}

function startSides() {
  const selectAt = ({ target }) => {
    const thing = sideThing(target.closest("[data-n], [data-m]"));
    if (thing && !same(thing, state.thing)) pick(thing);
    return thing;
  };
  sides.element.addEventListener("click", (event) => toggleAt(event) || selectAt(event) || pick(null));
  sides.element.addEventListener("dblclick", ({ target }) => openRow(target.closest("[data-i]")));
  sides.element.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && selectAt(event));
  byId("arrangement").addEventListener("change", (event) => setSides(event.target.value === "sides"));
  new ResizeObserver(() => sides.on && sides.fits && fitSides()).observe(sides.element);
}
