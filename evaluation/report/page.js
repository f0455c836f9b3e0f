"use strict";
(() => {
  const tip = document.getElementById("tip");

  function place(x, y) {
    const room = 14;
    const left = Math.min(x + room, window.innerWidth - tip.offsetWidth - 8);
    const below = y + room + tip.offsetHeight < window.innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? y + room : Math.max(8, y - room - tip.offsetHeight)}px`;
  }

  function show(element, x, y) {
    tip.textContent = element.dataset.tip;
    tip.hidden = false;
    place(x, y);
  }

  document.addEventListener("pointermove", (event) => {
    const element = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    if (element) show(element, event.clientX, event.clientY);
    else tip.hidden = true;
  });
  document.addEventListener("pointerleave", () => { tip.hidden = true; });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });

  // Tables: a heading is a button that sorts by its column.
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const ascending = heading.getAttribute("aria-sort") === "descending" || (!heading.hasAttribute("aria-sort") && !heading.classList.contains("n"));
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
        const numeric = heading.classList.contains("n");
        const rows = [...body.rows].sort((a, b) => numeric
          ? Number(value(a)) - Number(value(b)) : value(a).localeCompare(value(b)));
        body.append(...(ascending ? rows : rows.reverse()));
      });
    });
  }

  // Films: where there is a pointer that hovers, the controls wait for it and leave the first picture free.
  if (window.matchMedia("(hover: hover)").matches) {
    for (const video of document.querySelectorAll("video")) {
      video.controls = false;
      video.tabIndex = 0;
      for (const name of ["pointerenter", "focus", "play"]) {
        video.addEventListener(name, () => { video.controls = true; });
      }
      video.addEventListener("pointerleave", () => {
        video.controls = !video.paused || document.activeElement === video;
      });
    }
  }

  // The map: rows can be hidden, one episode can be lit.
  const group = document.querySelector(".town .episodes");
  if (!group) return;
  const episodes = [...group.querySelectorAll(".episode")];
  const chosen = document.getElementById("chosen");
  let kept = null;

  function light(episode) {
    for (const other of episodes) other.classList.toggle("lit", other === episode);
    group.classList.toggle("focused", episode !== null);
    if (episode) group.append(episode);
  }

  function describe(episode) {
    chosen.textContent = episode ? episode.dataset.tip : chosen.dataset.empty;
    if (episode && episode.dataset.film) {
      const link = document.createElement("a");
      link.href = `#${episode.dataset.film}`;
      link.textContent = "Film";
      chosen.append(" · ", link);
    }
  }

  function keep(episode) {
    kept = kept === episode ? null : episode;
    light(kept);
    describe(kept);
  }

  const visible = () => episodes.filter((episode) => !episode.classList.contains("hidden"));
  if (episodes.length) episodes[0].tabIndex = 0;
  for (const episode of episodes) {
    episode.addEventListener("pointerenter", () => { if (!kept) light(episode); });
    episode.addEventListener("pointerleave", () => { if (!kept) light(null); });
    episode.addEventListener("click", () => keep(episode));
    episode.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      if (event.key in steps) {
        event.preventDefault();
        const shown = visible();
        const next = shown[(shown.indexOf(episode) + steps[event.key] + shown.length) % shown.length];
        episode.tabIndex = -1;
        next.tabIndex = 0;
        kept = null;
        keep(next);
        next.focus();
      } else if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        keep(episode);
      } else if (event.key === "Escape") {
        kept = null;
        light(null);
        describe(null);
      }
    });
  }
  for (const box of document.querySelectorAll(".filters input")) {
    box.addEventListener("change", () => {
      for (const episode of episodes) {
        if (episode.dataset.row === box.dataset.row) episode.classList.toggle("hidden", !box.checked);
      }
      const shown = visible();
      episodes.forEach((episode) => { episode.tabIndex = -1; });
      if (shown.length) shown[0].tabIndex = 0;
      if (kept && kept.classList.contains("hidden")) keep(kept);
    });
  }
})();
