/* The module tree on the left, created as it is opened. */

const tree = byId("tree");
const branches = new Map();

/** Return the cells of a module: those that were chosen, else its parameters and its share of the FLOPs. */
const cellsOf = (module) =>
  data.cells?.[data.modules.indexOf(module)] ?? [
    module.parameters ? shortParameters(allOf(module)) : "",
    percent(module.flops, data.flops),
  ];

/** Return whether a column that was chosen contains text rather than numbers. */
const isText = (at) => data.columns?.[at][1] === false;

function branch(module, depth) {
  const children = (module.children || []).map((at) => data.modules[at]);
  const times = (module.copies || 1) / (modules.get(parentOf(module.path))?.copies || 1);
  const type = module.path || module.type !== data.name ? module.type : "";
  const row = h(
    module.never ? "div.row.never" : "div.row",
    h("span.twist"),
    h(
      "span.name",
      { title: `${module.path} ${module.type}` },
      h("b", nameOf(module)),
      badge(times) || "",
      h("i", type),
    ),
    cellsOf(module).map((text, at) => h(isText(at) ? "span.text" : "span.number", { title: text }, text)),
  );
  row.style.setProperty("--depth", depth);
  const item = h("li", { role: "treeitem", tabindex: -1, "aria-level": depth + 1 }, row);
  if (children.length) item.setAttribute("aria-expanded", "false");
  row.addEventListener("click", (event) => {
    if (children.length && event.target.matches(".twist")) unfold(item, !isOpen(item));
    else goTo(ofModule(module));
    focusBranch(item);
  });
  branches.set(item, { module, children, depth });
  return item;
}

const isOpen = (item) => item.getAttribute("aria-expanded") === "true";
const inside = (item) => [...item.querySelectorAll(":scope > ul > li")];

function unfold(item, open) {
  const { children, depth } = branches.get(item);
  if (!children.length) return;
  item.setAttribute("aria-expanded", String(open));
  const group = item.querySelector(":scope > ul");
  if (group) group.hidden = !open;
  else if (open)
    item.append(
      h(
        "ul",
        { role: "group" },
        children.map((child) => branch(child, depth + 1)),
      ),
    );
}

/** Open the tree down to a module and mark it. */
function showInTree(path, thing) {
  for (const item of tree.querySelectorAll("[aria-current], [aria-selected]")) {
    item.removeAttribute("aria-current");
    item.removeAttribute("aria-selected");
  }
  reveal(path).setAttribute("aria-current", "true");
  const item = reveal(thing?.module?.path ?? thing?.operation?.module ?? path);
  item.setAttribute("aria-selected", "true");
  item.firstElementChild.scrollIntoView({ block: "nearest" });
}

/** Return the item of a module or its innermost listed parent, with all its parents open. */
function reveal(path) {
  let item = tree.firstElementChild;
  while (branches.get(item).module.path !== path) {
    unfold(item, true);
    const next = inside(item).find((each) => `${path}.`.startsWith(`${branches.get(each).module.path}.`));
    if (!next) break;
    item = next;
  }
  return item;
}

function focusBranch(item) {
  tree.querySelectorAll('[tabindex="0"]').forEach((each) => each.setAttribute("tabindex", "-1"));
  item.setAttribute("tabindex", "0");
  item.focus();
}

tree.addEventListener("keydown", (event) => {
  const items = [...tree.querySelectorAll("li")].filter((item) => !item.parentNode.closest('[aria-expanded="false"]'));
  const item = event.target.closest("li");
  const at = items.indexOf(item);
  const moves = {
    ArrowDown: () => focusBranch(items[Math.min(at + 1, items.length - 1)]),
    ArrowUp: () => focusBranch(items[Math.max(at - 1, 0)]),
    Home: () => focusBranch(items[0]),
    End: () => focusBranch(items.at(-1)),
    ArrowRight: () => (isOpen(item) ? focusBranch(inside(item)[0]) : unfold(item, true)),
    ArrowLeft: () => (isOpen(item) ? unfold(item, false) : focusBranch(item.parentNode.closest("li") || item)),
    Enter: () => item.firstElementChild.click(),
    " ": () => item.firstElementChild.click(),
  };
  if (!moves[event.key]) return;
  event.preventDefault();
  event.stopPropagation();
  moves[event.key]();
});

/** Head the columns that were chosen, and widen the tree for them. */
function headTree() {
  const [heading, columns] = [document.querySelector(".columns"), data.columns];
  const width = (at) => Math.min(24, Math.max(columns[at][0].length, ...data.cells.map((row) => row[at].length)));
  const widths = columns.map((_, at) => `${7 * width(at) + 12}px`);
  const titles = columns.map(([title], at) => h(isText(at) ? "span.text" : "span", title));
  heading.replaceChildren(h("span", "Module"), ...titles);
  byId("modules").style.setProperty("--columns", widths.join(" "));
  byId("modules").style.width = `min(220px + ${widths.join(" + ")}, 42vw)`;
}

function plantTree() {
  if (data.columns) headTree();
  const root = branch(modules.get(""), 0);
  root.setAttribute("tabindex", "0");
  tree.append(root);
  unfold(root, true);
}
