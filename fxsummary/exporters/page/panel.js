/* The side panel: everything known about a module or an operation. */

const panel = byId("panel");

function showPanel(thing) {
  panel.scrollTop = 0; // before the panel is laid out anew
  panel.replaceChildren(
    ...(thing.module ? modulePanel(thing.module) : operationPanel(thing.operation)).filter(Boolean),
  );
}

/** Return a heading with its contents; nothing if these are empty. */
function section(title, ...children) {
  const inside = children.flat().filter(Boolean);
  return inside.length ? [h("h3", title), ...inside] : [];
}

/** Return values by name, without empty ones. */
function facts(values) {
  const known = Object.entries(values).filter(([, value]) => value && value.length !== 0);
  return (
    known.length &&
    h(
      "dl",
      known.map(([name, value]) => [h("dt", name), h("dd", value)]),
    )
  );
}

const list = (items) =>
  items.length &&
  h(
    "ul",
    items.map((item) => h("li", item)),
  );
const code = (text) => text && h("code", text);
const link = (text, thing) => h("button.link", { type: "button", click: () => goTo(thing) }, text);
const operationLink = (operation) => link(operationName(operation), ofOperation(operation));
const moduleLink = (module, text = module.path || data.name) => link(text, ofModule(module));
const badge = (times) => times > 1 && h("span.times", `×${times}`);
const size = (number, times = 1) => number && bytes(number * times);

/** Format a count, and the count over all copies. */
function counted(number, times, least = false) {
  if (number === undefined) return least ? "≥ 0" : "";
  const all = times > 1 && number ? ` × ${times} = ${count(number * times)}` : "";
  return `${least ? "≥ " : ""}${count(number)}${all}`;
}

function meter(part) {
  if (!part || !data.flops) return null;
  const bar = h("i");
  bar.style.width = `${Math.max(1, (100 * part) / data.flops)}%`;
  return h("div.meter", { role: "presentation" }, bar);
}

function tensorList(names = []) {
  const item = (name) => {
    const [spec, , nbytes, remarks] = tensors.get(name) || ["", null, null, ""];
    return [h("span", code(name), remarks && h("div.hint", remarks)), h("small", spec, h("br"), size(nbytes))];
  };
  return list(names.map(item));
}

/** Return what a comparison says of a module or an operation: how it changed, and its old and new values. */
function changePanel({ change, was, changes = [] }) {
  if (!CHANGES[change]) return [];
  return [
    h("p.change", changeMark(change), change),
    facts({ Was: change !== "removed" && code(was), ...Object.fromEntries(changes) }),
  ];
}

function operationPanel(operation) {
  const { flops, inputs = [], outputs = [], stack = [], joined = [], unknown = [] } = operation;
  const times = operation.summed ? 1 : operation.times || 1;
  const module = modules.get(operation.module);
  const reads = ({ inputs = [] }) => inputs.some(([source]) => data.operations[source] === operation);
  const input = ([source, , spec]) => [
    h("span", h("span.marker", "in"), operationLink(data.operations[source]), h("div.hint", spec)),
  ];
  const reader = (other) => [h("span", h("span.marker.out", "out"), operationLink(other))];
  const level = ([number, call]) => {
    const around = data.modules[number];
    return h("div", moduleLink(around), ` ${around.type}${call ? ` (call ${call + 1})` : ""}`);
  };
  const costs = {
    Trust: flops === undefined ? operation.trust : operation.trust || "exact",
    "Not counted": unknown.join(", "),
    Parameters: counted(operation.parameters, times),
    Frozen: operation.frozen && count(operation.frozen * times),
    Memory: size(operation.bytes, times),
    Buffers: size(operation.buffers, times),
    Result: size(operation.memory, times),
    "In use": size(operation.use),
    ...Object.fromEntries(operation.more || []),
  };
  const place = {
    Module: module ? moduleLink(module) : operation.module,
    Stack: stack.map(level),
    Target: code(operation.target),
    Opcode: code(operation.op),
    Multiplicity: operation.times > 1 && `×${operation.times}`,
    Source: code(operation.source),
  };
  return [
    h("h2", kindSwatch(operation.kind), operation.label, badge(operation.times) || ""),
    h("p.key", operation.key),
    ...changePanel(operation),
    facts({
      Configuration: operation.config,
      Call: code(operation.call),
      Joined: joined.map((call) => h("div", code(call))),
    }),
    ...section(
      "Cost",
      facts({ FLOPs: counted(flops, times), Share: percent(flops * times, data.flops) }),
      meter(flops * times),
      facts(costs),
    ),
    ...section("Inputs", list(inputs.map(input))),
    ...section("Outputs", list(outputs.map(code)), list(data.operations.filter(reads).map(reader))),
    ...section("Parameters", tensorList(operation.tensors)),
    ...section("Place", facts(place)),
  ];
}

function modulePanel(module) {
  const { path, flops, outputs = [], children = [] } = module;
  const times = timesOf(module);
  const known = flops !== undefined || module.least;
  const child = (inner) => [
    h("span", moduleLink(inner, nameOf(inner)), ` ${inner.type}`),
    h("small", percent(inner.flops, data.flops) || (inner.parameters ? `${shortParameters(allOf(inner))} params` : "")),
  ];
  const costs = {
    Parameters: (module.summed ? "Σ " : "") + counted(module.parameters, times, module.unknown),
    Share: percent(allOf(module), data.parameters),
    Frozen: module.frozen && count(module.frozen * times),
    Memory: size(module.bytes, times),
    Buffers: size(module.buffers, times),
    Results: size(module.memory),
    "In use": module.use && `up to ${size(module.use)}`,
  };
  const about = {
    Mode: module.training ? "training" : "evaluation",
    "Same as": module.shared,
    Captured: path ? "" : data.captured,
  };
  return [
    h("h2", module.type, badge(module.copies) || ""),
    path && h("p.key", nameOf(module, "")),
    ...changePanel(module),
    views.has(path) && path !== state.path && h("div.actions", h("button", { click: () => open(path) }, "Open")),
    facts({ Settings: module.config }),
    module.never && h("p.hint", "The captured forward never calls it."),
    module.copies && module.differ && h("p.hint", "Its copies differ in size: the picture shows the first."),
    ...section(
      "Cost",
      facts({
        FLOPs: known ? counted(flops, 1, module.least) : data.flops === null && "?",
        Share: percent(flops, data.flops),
      }),
      meter(flops),
      facts(costs),
    ),
    ...section("Outputs", list(outputs.map(code))),
    ...section("Modules inside", list(children.map((at) => child(data.modules[at])))),
    ...section("Own parameters", tensorList(module.tensors)),
    ...section("State", facts(about)),
    ...(path ? [] : section("Notes", list(data.notes))),
  ];
}
