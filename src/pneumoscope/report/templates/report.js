"use strict";
// Sorting: every header of a .sortable table becomes a button; aria-sort tells the state.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const text = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [Number(text(a)), Number(text(b))];
        const order = Number.isNaN(x - y) ? text(a).localeCompare(text(b), "en", { numeric: true }) : x - y;
        return falling ? -order : order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}
// Paper cannot be clicked: open everything for the printer, and put it back.
const closed = [];
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open])")) {
    part.open = true;
    closed.push(part);
  }
});
addEventListener("afterprint", () => {
  for (const part of closed.splice(0)) part.open = false;
});

// A command breaks between its words: the browser would also break it behind a hyphen of --option.
for (const code of document.querySelectorAll(".command code")) {
  const words = code.textContent.split(/( +)/).map((text) => {
    if (!text.trim()) return text;
    const word = document.createElement("span");
    word.textContent = text;
    return word;
  });
  code.replaceChildren(...words);
}
