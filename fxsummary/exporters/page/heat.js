/* The colours of what is on screen, the picture on the stage or both sides: costs as heat, and the legend. */

const STEPS = [2, 15, 40, 75];

/** Return a picture, and those of the modules that are open in it. */
const placesIn = (place) => [place, ...place.rows.flatMap(({ frame }) => (frame ? placesIn(frame.place) : []))];

function paintHeat() {
  const heated = picture.measure !== "kind";
  const places = onScreen().flatMap(({ place }) => placesIn(place));
  for (const { svg } of onScreen()) svg.classList.toggle("heated", heated);
  if (heated) {
    const costs = places.map(costsIn);
    const largest = Math.max(1, ...costs.map((each) => each.largest));
    costs.forEach((each) => paintCosts(each, largest));
  }
  paintLegend(heated, places);
}

/** Return the rows of a picture with their costs, which are counted once. */
function costsIn(place) {
  const { measure } = picture;
  if (place.costs?.measure !== measure) {
    place.parts ??= partsOf(place.element);
    const rows = place.parts.tables.flatMap((table) => table.rows);
    const counted = rows.filter((row) => !row.matches(":has(> .f-terminal, > .f-parameter:first-child)"));
    const totals = counted.map((row) => [row, costOf(row, measure, place.where)]);
    place.costs = { measure, totals, largest: Math.max(0, ...totals.map(([, total]) => total)), painted: null };
  }
  return place.costs;
}

function costOf(row, measure, { things, costOn = cost }) {
  const found = [row, ...row.querySelectorAll("[data-n]")].map((part) => things.get(part)).filter(Boolean);
  const costs = found.map((thing) => costOn(thing, measure));
  return measure === "memory" ? Math.max(0, ...costs) : costs.reduce((sum, each) => sum + each, 0);
}

function paintCosts(costs, largest) {
  if (costs.painted === largest) return;
  for (const [row, total] of costs.totals) set(row, { "data-h": STEPS.filter((step) => (100 * total) / largest >= step).length });
  costs.painted = largest;
}

const HEATS = {
  flops: "FLOPs per row (all copies)",
  parameters: "Parameters per row (all copies)",
  memory: "Memory in use while a row runs",
};
const RANGES = ["< 2 %", "2 – 15 %", "15 – 40 %", "40 – 75 %", "≥ 75 %"];
const explained = new Map();

/** Return what the legend explains in the picture with a number: kinds, and "bar". */
function explainedIn(number) {
  if (!explained.has(number)) {
    const selector = (kind) => (kind === "parameter" ? "rect.f-parameter[stroke-dasharray]" : kind === "bar" ? ".bar" : `.f-${kind}`);
    explained.set(number, [...Object.keys(data.kinds), "bar"].filter((kind) => pictures.get(number).querySelector(selector(kind))));
  }
  return explained.get(number);
}

function paintLegend(heated, places) {
  const shown = new Set([...new Set(places.map(({ number }) => number))].flatMap(explainedIn));
  const kinds = Object.entries(data.kinds).filter(([kind]) => shown.has(kind));
  const gauge = shown.has("bar") && h("span", h("i.gauge"), "FLOPs relative to the largest");
  const changes = Object.entries(data.changes).filter(([change, times]) => times && CHANGES[change]).map(([change, times]) => h("span", changeMark(change), `${change} (${count(times)})`));
  const steps = RANGES.map((text, at) => h("span", h("i.swatch", { "data-h": at }), text));
  const entries = heated
    ? [h("span", `${HEATS[picture.measure]}, relative to the largest shown:`), ...steps]
    : [...kinds.map(([kind, text]) => h("span", kindSwatch(kind), text)), gauge || "", ...changes];
  byId("legend").replaceChildren(...entries);
}

const CHANGES = { added: "+", removed: "−", changed: "~", moved: "→" };

function changeMark(change) {
  const made = h("i.sign", { "aria-hidden": "true" }, CHANGES[change]);
  made.style.background = `var(--stroke-${change})`;
  return made;
}

function kindSwatch(kind) {
  const made = h("i.swatch", { "aria-hidden": "true" });
  made.style.background = `var(--fill-${kind})`;
  made.style.borderColor = `var(--stroke-${kind})`;
  return made;
}

