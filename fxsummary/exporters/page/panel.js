/* The side panel: everything that is known of a module or an operation. */

const panel = byId("panel");

function section(title, ...children) {
  const inside = children.flat().filter(Boolean);
  return inside.length ? [element("h3", {}, title), ...inside] : [];
}

/** Pairs of a name and a value as a list; empty values are left out. */
function facts(...pairs) {
  const known = pairs.filter(([, value]) => value !== "" && value !== undefined && value !== null && value !== false);
  return known.length ? element("dl", {}, known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])) : null;
}

const code = (text) => (text ? element("code", {}, text) : "");
const link = (text, thing) => element("button", { class: "link", type: "button", click: () => goTo(thing) }, text);
const list = (items) => (items.length ? element("ul", {}, items.map((item) => element("li", {}, item))) : null);

function showPanel(thing) {
  panel.replaceChildren(...(thing.module ? modulePanel(thing.module) : operationPanel(thing.operation)));
  panel.scrollTop = 0;
}

function copiesText(one, times) {
  return times > 1 && one ? `${count(one)} × ${times} = ${count(one * times)}` : count(one);
}

function meter(part, whole) {
  if (!part || !whole) return null;
  const bar = element("i");
  bar.style.width = `${Math.max(1, (100 * part) / whole)}%`;
  return element("div", { class: "meter", role: "presentation" }, bar);
}

function operationPanel(operation) {
  const times = operation.times || 1;
  const flops = operation.flops === undefined ? 0 : operation.flops;
  const inputs = (operation.inputs || []).map(([source, slots, spec]) => {
    const from = data.operations[source];
    return [element("span", {}, element("span", { class: "marker" }, "in"), link(operationName(from), ofOperation(from)), element("div", { class: "hint" }, spec))];
  });
  const readers = data.operations.filter((other) => (other.inputs || []).some(([source]) => data.operations[source] === operation));
  const module = modules.get(operation.module);
  return [
    element("h2", {}, kindSwatch(operation.kind), operation.label, times > 1 ? element("span", { class: "times" }, `×${times}`) : ""),
    element("p", { class: "key" }, operation.key),
    facts(["Configuration", operation.config], ["Call", code(operation.call)], ["Joined", (operation.joined || []).length ? operation.joined.map((call) => element("div", {}, code(call))) : ""]),
    ...section("Cost",
      facts(
        ["FLOPs", flops === 0 ? "" : copiesText(flops, times)],
        ["Share", percent(flops * times, data.flops)],
      ),
      meter(flops * times, data.flops),
      facts(
        ["Trust", flops === 0 && !operation.trust ? "" : operation.trust || "exact"],
        ["Not counted", (operation.unknown || []).join(", ")],
        ["Parameters", operation.parameters === undefined ? "" : copiesText(operation.parameters, times)],
        ["Frozen", operation.frozen ? count(operation.frozen * times) : ""],
        ["Memory", operation.bytes ? bytes(operation.bytes * times) : ""],
        ["Buffers", operation.buffers ? bytes(operation.buffers * times) : ""],
        ["Result", operation.memory ? bytes(operation.memory * times) : ""],
      )),
    ...section("Inputs", list(inputs)),
    ...section("Outputs", list((operation.outputs || []).map((spec) => [code(spec)])),
      list(readers.map((reader) => [element("span", {}, element("span", { class: "marker out" }, "out"), link(operationName(reader), ofOperation(reader)))]))),
    ...section("Parameters", tensorList(operation.tensors)),
    ...section("Place", facts(
      ["Module", module ? link(module.path || data.name, ofModule(module)) : operation.module],
      ["Stack", (operation.stack || []).map(([number, call]) => {
        const { path, type } = data.modules[number];
        return element("div", {}, link(path, ofModule(data.modules[number])), ` ${type}${call ? ` (call ${call + 1})` : ""}`);
      })],
      ["Target", code(operation.target)],
      ["Opcode", code(operation.op)],
      ["Multiplicity", times > 1 ? `×${times}` : ""],
      ["Source", code(operation.source)],
    )),
  ].filter(Boolean);
}

function tensorList(names = []) {
  return list(names.map((name) => {
    const [spec, , size, remarks] = tensors.get(name) || ["", null, 0, ""];
    return [element("span", {}, code(name), remarks ? element("div", { class: "hint" }, remarks) : ""), element("small", {}, spec, element("br"), size === null ? "" : bytes(size))];
  }));
}

function modulePanel(module) {
  const times = module.copies || 1;
  const parameters = module.parameters || 0;
  const opens = views.has(module.path) && module.path !== state.path;
  const children = (module.children || []).map((at) => data.modules[at]);
  return [
    element("h2", {}, module.type, times > 1 ? element("span", { class: "times" }, `×${times}`) : ""),
    module.path ? element("p", { class: "key" }, nameOf(module, "")) : null,
    opens ? element("div", { class: "actions" }, element("button", { type: "button", click: () => open(module.path) }, "Open")) : null,
    facts(["Settings", module.config]),
    ...(module.never ? [element("p", { class: "hint" }, "The captured forward never calls it.")] : []),
    ...section("Cost",
      facts(["FLOPs", module.flops || module.least ? `${module.least ? "≥ " : ""}${count(module.flops || 0)}` : data.flops === null ? "?" : ""], ["Share", percent(module.flops, data.flops)]),
      meter(module.flops, data.flops),
      facts(
        ["Parameters", parameters || module.unknown ? `${module.unknown ? "≥ " : ""}${copiesText(parameters, times)}` : ""],
        ["Share", percent(parameters * times, data.parameters)],
        ["Frozen", module.frozen ? count(module.frozen * times) : ""],
        ["Memory", module.bytes ? bytes(module.bytes * times) : ""],
        ["Buffers", module.buffers ? bytes(module.buffers * times) : ""],
        ["Results", module.memory ? bytes(module.memory) : ""],
      )),
    ...section("Outputs", list((module.outputs || []).map((spec) => [code(spec)]))),
    ...section("Modules inside", list(children.map((child) => [
      element("span", {}, link(nameOf(child), ofModule(child)), ` ${child.type}`),
      element("small", {}, percent(child.flops, data.flops) || (child.parameters ? `${short(child.parameters * (child.copies || 1))} params` : "")),
    ]))),
    ...section("Parameters of its own", tensorList(module.tensors)),
    ...section("State", facts(["Mode", module.training ? "training" : "evaluation"], ["Same as", module.shared], ["Captured", module.path ? "" : data.captured])),
    ...(module.path ? [] : section("Notes", list(data.notes.map((note) => [note])))),
  ].filter(Boolean);
}
