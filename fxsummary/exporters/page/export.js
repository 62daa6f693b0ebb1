/* Save the picture on the stage, or both sides, as SVG or PNG: what is open, in the colours on screen; copy a path. */

const SHARP = 2; // pixels of the PNG per unit
const MOST_PIXELS = 8192;

/** Return the rules that apply to pictures, with the colours on screen in place of variables. */
function styleOf(svgs) {
  const root = getComputedStyle(document.documentElement);
  const resolve = (text) => text.replace(/var\((--[\w-]+)\)/g, (_, name) => resolve(root.getPropertyValue(name).trim()));
  const isUsed = (rule) => rule.selectorText && !/^\*|:hover|:focus/.test(rule.selectorText) && svgs.some((svg) => svg.querySelector(rule.selectorText));
  const rules = [...document.styleSheets[0].cssRules].filter(isUsed).map((rule) => resolve(rule.cssText));
  return rules.filter((text) => /fill|stroke|font|opacity/.test(text)).join("\n");
}

function setBox(svg, box) {
  set(svg, { viewBox: box.join(" "), width: box[2], height: box[3] });
  return box;
}

/** Return a copy of a picture without marks and buttons. */
function cleanCopy({ svg: shown, place }) {
  drawParts(place);
  const svg = shown.cloneNode(true);
  svg.querySelectorAll(".around, .open, .shut > :last-child").forEach((each) => each.remove());
  for (const each of [svg, ...svg.querySelectorAll("*")])
    for (const name of each.getAttributeNames())
      if (/^(data-(?!h$)|aria-|tabindex|role|style)/.test(name)) each.removeAttribute(name);
  svg.querySelectorAll("path.in, path.out").forEach((each) => each.classList.remove("in", "out"));
  setBox(svg, place.box);
  return svg;
}

const HEADED = 30;
const GAP = 24;

/** Return two pictures next to each other in one, each below its heading. */
function nextToEachOther(svgs, headings) {
  const both = document.createElementNS(SVG, "svg");
  let x = 0;
  svgs.forEach((svg, at) => {
    const heading = drawn(both, "text", { x: x + 12, y: 20, class: "t", "font-size": 12, "font-weight": "bold" });
    heading.textContent = headings[at];
    both.append(set(svg, { x, y: HEADED }));
    x += Math.max(svg.getAttribute("width"), 8 * headings[at].length) + GAP;
  });
  setBox(both, [0, 0, x - GAP, HEADED + Math.max(...svgs.map((svg) => svg.getAttribute("height")))]);
  return both;
}

/** Return what is on screen as an SVG file: its text, width and height; it contains its style. */
function svgFile() {
  const copies = onScreen().map(cleanCopy);
  const svg = sides.on ? nextToEachOther(copies, [...sides.element.children].map((section) => section.ariaLabel)) : copies[0];
  const [left, top, width, height] = numbersIn(svg.getAttribute("viewBox"));
  const style = document.createElementNS(SVG, "style");
  style.textContent = styleOf(onScreen().map((each) => each.svg));
  const ground = set(document.createElementNS(SVG, "rect"), { x: left, y: top, width, height, class: "page" });
  ground.style.fill = getComputedStyle(document.body).backgroundColor;
  svg.prepend(style, ground);
  return { text: new XMLSerializer().serializeToString(svg), width, height };
}

function fileName(suffix) {
  const name = sides.on ? [...sides.element.querySelectorAll("h2 b")].map((each) => each.textContent).join("-") : [data.name, state.path].filter(Boolean).join(".");
  return `${name.replace(/[^\w.-]+/g, "_") || "model"}.${suffix}`;
}

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

const saveSvg = () => save(new Blob([svgFile().text], { type: "image/svg+xml" }), fileName("svg"));

function savePng() {
  const { text, width, height } = svgFile();
  const scale = Math.min(SHARP, MOST_PIXELS / Math.max(width, height));
  const image = new Image();
  image.addEventListener("load", () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [Math.ceil(width * scale), Math.ceil(height * scale)];
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(blob, fileName("png")));
  });
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}

addEventListener("beforeprint", () => {
  onScreen().forEach(({ place }) => drawParts(place));
  const [, , width] = setBox(picture.svg, picture.place.box);
  picture.svg.style.width = `${width * picture.zoom}px`;
});
addEventListener("afterprint", () => {
  setBox(picture.svg, picture.place.own);
  scale(picture);
});

/** Return what a reader would type to find the selection: the module path, or the key of an operation. */
const nameToCopy = () => {
  const { module, operation } = state.thing || ofModule(modules.get(state.path));
  return module ? module.path || data.name : operation.op === "call_module" ? operation.target : operation.key;
};

/** Copy a text; without permission for the clipboard, through a selected field. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = h("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  byId("status").textContent = `Copied ${clean(text)}`;
  byId("copy").classList.add("done");
  setTimeout(() => byId("copy").classList.remove("done"), 900);
}
