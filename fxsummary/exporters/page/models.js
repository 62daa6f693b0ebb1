"use strict";
const body = document.querySelector("tbody");
const heads = [...document.querySelectorAll("thead th")];
const valueOf = (row, place) => (place ? row.children[place].dataset.v : row.children[0].textContent);

function sortBy(place) {
  const head = heads[place], isNumber = head.classList.contains("n");
  const rises = head.ariaSort ? head.ariaSort === "descending" : !isNumber;
  const known = [], unknown = [];
  for (const row of body.rows) (valueOf(row, place) === "" ? unknown : known).push(row);
  const text = new Intl.Collator("en", { numeric: true });
  const compare = isNumber ? (a, b) => Number(a) - Number(b) : text.compare;
  known.sort((a, b) => (rises ? 1 : -1) * compare(valueOf(a, place), valueOf(b, place)));
  body.append(...known, ...unknown);
  heads.forEach((each) => each.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", rises ? "ascending" : "descending");
}

heads.forEach((head, place) => head.firstChild.addEventListener("click", () => sortBy(place)));
document.getElementById("find").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const row of body.rows) {
    const name = row.children[0].textContent.toLowerCase();
    row.hidden = !words.every((word) => name.includes(word));
  }
});
