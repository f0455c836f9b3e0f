"use strict";
(() => {
  // A heading is a button that sorts by its column; cells without a number stay last.
  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if (heading.classList.contains("scale")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const numeric = heading.classList.contains("n");
        const descending = heading.hasAttribute("aria-sort") ? heading.getAttribute("aria-sort") === "ascending" : numeric;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const value = (row) => numeric ? row.cells[column].dataset.sort : row.cells[column].textContent.trim();
        const known = [...body.rows].filter((row) => value(row) !== undefined);
        const unknown = [...body.rows].filter((row) => value(row) === undefined);
        known.sort((a, b) => numeric ? Number(value(a)) - Number(value(b)) : value(a).localeCompare(value(b)));
        if (descending) known.reverse();
        body.append(...known, ...unknown);
      });
    });
  }

  // Kinds and words: what does not match is hidden.
  const find = document.getElementById("find");
  const chips = [...document.querySelectorAll(".chips button")];
  const none = document.getElementById("none");
  let kind = "";

  function apply() {
    const word = find.value.trim().toLowerCase();
    let any = false;
    for (const section of document.querySelectorAll("section")) {
      const ofKind = !kind || section.dataset.kind === kind;
      const named = section.querySelector("h2").textContent.toLowerCase().includes(word) || section.id.includes(word);
      let rows = 0;
      for (const row of section.querySelectorAll("tbody tr")) {
        row.hidden = !(named || row.textContent.toLowerCase().includes(word));
        rows += row.hidden ? 0 : 1;
      }
      section.hidden = !ofKind || !(named || rows);
      any = any || !section.hidden;
    }
    for (const link of document.querySelectorAll("nav a")) {
      link.hidden = document.getElementById(link.getAttribute("href").slice(1)).hidden;
    }
    none.hidden = any;
  }

  find.addEventListener("input", apply);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      kind = chip.dataset.kind;
      for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
      apply();
    });
  }
})();
