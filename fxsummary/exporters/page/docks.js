/* The panels below the picture: memory and time at best, with links to the operations. */

/** Show a panel below the picture, or hide it; one at a time. */
function toggleDock(name) {
  for (const dock of document.querySelectorAll(".dock")) {
    dock.hidden = dock.id !== name || !dock.hidden;
    byId(`show-${dock.id}`).setAttribute("aria-pressed", String(!dock.hidden));
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-go]");
  if (link) goTo(meant(Number(link.dataset.go)));
});

/** Go to the operation that runs where the plot of the memory was clicked. */
byId("memory")?.querySelector("svg").addEventListener("click", (event) => {
  const svg = event.currentTarget;
  const { x } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  const { left, width, steps } = data.timeline;
  const part = (x - left) / width;
  const step = part >= 0 && part <= 1 && steps.find(([end]) => part * steps.at(-1)[0] <= end);
  if (step && step[1] !== null) goTo(meant(step[1]));
});
