"use strict";
// One slider a view moves the border between before (left) and after (right) in all its images.
const views = [...document.querySelectorAll(".view")];

function setSplit(view, percent) {
  const input = view.querySelector(".wipe input");
  input.value = percent;
  input.setAttribute("aria-valuetext", `${input.value} % before, ${100 - input.value} % after`);
  view.style.setProperty("--split", `${input.value}%`);
}

for (const view of views) {
  view.querySelector(".wipe input").addEventListener("input", (event) => setSplit(view, event.target.value));
  for (const stack of view.querySelectorAll(".stack")) {
    const follow = (event) => {
      if (!event.buttons) return;
      const box = stack.getBoundingClientRect();
      setSplit(view, Math.round((100 * (event.clientX - box.left)) / box.width));
    };
    stack.addEventListener("pointerdown", follow);
    stack.addEventListener("pointermove", follow);
    stack.addEventListener("dragstart", (event) => event.preventDefault());
  }
}

document.getElementById("wipe-all")?.addEventListener("input", (event) => {
  for (const view of views) setSplit(view, event.target.value);
});
document.getElementById("image-size")?.addEventListener("input", (event) => {
  document.documentElement.style.setProperty("--image-size", `${event.target.value}px`);
});
document.querySelector("[data-unseen]")?.addEventListener("change", (event) => {
  document.body.classList.toggle("hide-unseen", !event.target.checked);
});

// Moving over a plot reads its values.
for (const chart of document.querySelectorAll("[data-chart]")) {
  const { stages, curves } = JSON.parse(chart.querySelector("script").textContent);
  const area = chart.querySelector(".area"), cursor = chart.querySelector(".cursor");
  const readout = chart.querySelector(".readout"), atRest = readout.innerHTML;
  area.addEventListener("pointermove", (event) => {
    const box = area.getBoundingClientRect();
    const k = Math.min(stages.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * stages.length)));
    const values = Object.entries(curves).map(([name, list]) => `${name.replaceAll("_", " ")} ${list[k] ?? "–"}`);
    cursor.style.display = "block";
    cursor.style.left = `${(100 * (k + 0.5)) / stages.length}%`;
    readout.textContent = `Iteration ${k} (${stages[k]}): ${values.join(" · ")}`;
  });
  area.addEventListener("pointerleave", () => {
    cursor.style.display = "none";
    readout.innerHTML = atRest;
  });
}
