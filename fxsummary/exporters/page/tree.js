/* The tree of modules on the left: made as it is opened. */

const tree = byId("tree");
const branches = new Map();

function branch(module, depth) {
  const children = (module.children || []).map((at) => data.modules[at]);
  const times = (module.copies || 1) / (modules.get(parentOf(module.path))?.copies || 1);
  const row = element("div", { class: `row${module.never ? " never" : ""}` },
    element("span", { class: "twist" }),
    element("span", { class: "name", title: `${module.path} ${module.type}` }, element("b", {}, nameOf(module)), times > 1 ? element("span", { class: "times" }, `×${times}`) : "", module.path || module.type !== data.name ? element("i", {}, module.type) : ""),
    element("span", { class: "number" }, module.parameters ? short(module.parameters * (module.copies || 1)) : ""),
    element("span", { class: "number" }, percent(module.flops, data.flops)),
  );
  row.querySelector(".twist").style.marginLeft = `${10 * depth}px`;
  row.style.gridTemplateColumns = `${16 + 10 * depth}px minmax(0,1fr) 58px 54px`;
  const made = element("li", { role: "treeitem", tabindex: "-1", class: children.length ? undefined : "leaf", "aria-expanded": children.length ? "false" : undefined, "aria-level": depth + 1 }, row);
  row.addEventListener("click", (event) => {
    if (event.target.className === "twist" && children.length) unfold(made, made.getAttribute("aria-expanded") !== "true");
    else goTo(ofModule(module));
    focusBranch(made);
  });
  branches.set(made, { module, children, depth });
  return made;
}

function unfold(item, open) {
  const { children, depth } = branches.get(item);
  if (!children.length) return;
  item.setAttribute("aria-expanded", String(open));
  const group = item.querySelector(":scope > ul");
  if (group) group.hidden = !open;
  else if (open) item.append(element("ul", { role: "group" }, children.map((child) => branch(child, depth + 1))));
}

/** Open the tree down to a module and mark it. */
function showInTree(path, thing) {
  for (const item of tree.querySelectorAll("[aria-current], [aria-selected]")) {
    item.removeAttribute("aria-current");
    item.removeAttribute("aria-selected");
  }
  reveal(path)?.setAttribute("aria-current", "true");
  const item = reveal(thing?.module ? thing.module.path : thing?.operation ? thing.operation.module : path);
  item?.setAttribute("aria-selected", "true");
  item?.querySelector(".row").scrollIntoView({ block: "nearest" });
}

function reveal(path) {
  let item = tree.firstElementChild;
  for (let next = item; next && branches.get(next).module.path !== path; item = next) {
    unfold(next, true);
    next = [...next.querySelectorAll(":scope > ul > li")].find((each) => {
      const inner = branches.get(each).module.path;
      return path === inner || path.startsWith(inner + ".");
    });
    if (!next) return item;
  }
  return item && branches.get(item).module.path !== path ? [...item.querySelectorAll(":scope > ul > li")].find((each) => branches.get(each).module.path === path) : item;
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
  const isOpen = item.getAttribute("aria-expanded") === "true";
  const moves = {
    ArrowDown: () => focusBranch(items[Math.min(at + 1, items.length - 1)]),
    ArrowUp: () => focusBranch(items[Math.max(at - 1, 0)]),
    Home: () => focusBranch(items[0]),
    End: () => focusBranch(items.at(-1)),
    ArrowRight: () => (isOpen ? focusBranch(items[at + 1]) : unfold(item, true)),
    ArrowLeft: () => (isOpen ? unfold(item, false) : focusBranch(item.parentNode.closest("li") || item)),
    Enter: () => goTo(ofModule(branches.get(item).module)),
    " ": () => goTo(ofModule(branches.get(item).module)),
  };
  if (!moves[event.key]) return;
  event.preventDefault();
  event.stopPropagation();
  moves[event.key]();
});

function plantTree() {
  const root = modules.get("");
  tree.append(branch(root, 0));
  tree.firstElementChild.setAttribute("tabindex", "0");
  unfold(tree.firstElementChild, true);
}
