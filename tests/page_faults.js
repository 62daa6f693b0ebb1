/* Faults of the picture on the stage of a page: boxes that overlap, wires that come loose or run through a box. */
const faultsOfThePicture = () => {
    const found = [];
    const around = (boxes) => ({
        left: Math.min(...boxes.map((box) => box.left)), right: Math.max(...boxes.map((box) => box.right)),
        top: Math.min(...boxes.map((box) => box.top)), bottom: Math.max(...boxes.map((box) => box.bottom)),
    });
    const isOpen = ([, , isOpen]) => isOpen; // a line from it leads to the wire
    for (const place of stage.querySelectorAll("[data-picture]")) {
        const boxes = [...place.children].filter((each) => each.matches("[data-b], .inside")).map((each) => [
            each.textContent.slice(0, 30),
            around((each.matches(".inside") ? [each.querySelector(".opening")] : [...each.querySelectorAll("[data-i]")])
                .map((part) => (part.querySelector(":scope > :first-child") || part).getBoundingClientRect())),
            each.matches(".inside"),
        ]);
        boxes.forEach(([name, a], at) => boxes.slice(0, at).forEach(([other, b]) => {
            if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
                found.push(`${name} overlaps ${other}`);
        }));
        const wires = [...place.children].filter((each) => each.matches("path.e, path.sk"));
        const rim = place.parentNode.querySelector(":scope > .opening")?.getBoundingClientRect(); // of an opened module
        const lines = wires.flatMap((wire) => segmentsOf(pointsOf(wire)).map((ends) => {
            const [a, b] = ends.map(([x, y]) => new DOMPoint(x, y).matrixTransform(wire.getScreenCTM()));
            const [left, right, top, bottom] = [Math.min(a.x, b.x), Math.max(a.x, b.x), Math.min(a.y, b.y), Math.max(a.y, b.y)];
            return [wire, { left, right, top, bottom }];
        }));
        for (const wire of wires) {
            const [matrix, length, name] = [wire.getScreenCTM(), wire.getTotalLength(), `${wire.dataset.v} ${wire.dataset.t}`];
            const at = (way) => wire.getPointAtLength(way).matrixTransform(matrix);
            const near = ({ x, y }, by, places) => places.some(([own, box]) =>
                own !== wire && box.left - by < x && x < box.right + by && box.top - by < y && y < box.bottom + by);
            const isOnFrame = ({ y }) => rim && (Math.abs(y - rim.top - HEAD) < 3 || Math.abs(y - rim.bottom) < 3);
            const isHeld = (end) =>
                near(end, 3, boxes) || near(end, 3, lines) || near(end, 18, boxes.filter(isOpen)) || isOnFrame(end);
            if (!isHeld(at(0)) || !isHeld(at(length))) found.push(`${place.dataset.picture}: wire ${name} has a loose end`);
            for (let way = 6; way < length - 6; way += 6)
                if (near(at(way), -3, boxes)) {
                    found.push(`${place.dataset.picture}: wire ${name} runs through a box`);
                    break;
                }
        }
    }
    return found;
};

/* The picture on the stage as text, without the marks of what is selected. */
const plainPicture = () => {
    const copy = picture.svg.cloneNode(true);
    copy.querySelectorAll(".around").forEach((each) => each.remove());
    copy.querySelectorAll("path").forEach((each) => each.classList.remove("in", "out"));
    return copy.innerHTML;
};

/* Open every module of every picture in place, one by one and together; return faults and times in ms. */
const openAll = () => {
    const faults = faultsOfThePicture, known = new Set(), found = [], times = [];
    const each = (view) => [...views].forEach(([path, { levels }]) => levels.forEach((_, level) => {
        open(path, null, level);
        zoomTo(1);
        view(path);
    }));
    each(() => faults().forEach((fault) => known.add(fault)));
    const check = (path, key) => found.push(...faults().filter((fault) => !known.has(fault)).map((fault) => [path, key, fault]));
    each((path) => {
        const [rows, keys, plain] = [picture.things.size, [...picture.keys.values()].slice(0, 6), plainPicture()];
        for (const key of keys) {
            const start = performance.now();
            toggle(key);
            times.push(performance.now() - start);
            check(path, key);
            if (picture.things.size <= rows) found.push([path, key, "has nothing inside"]);
            toggle(key);
            if (picture.things.size !== rows) found.push([path, key, "stays open"]);
            if (plainPicture() !== plain) found.push([path, key, "leaves something behind"]);
        }
        keys.forEach((key) => toggle(key));
        check(path, keys.join(" "));
        keys.forEach((key) => toggle(key));
        if (plainPicture() !== plain) found.push([path, keys.join(" "), "leave something behind"]);
    });
    return [found, times];
};
