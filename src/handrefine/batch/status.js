// Tiles are sorted by the figure that a button names; once more turns the order round. What is not known comes last.
const tiles = document.querySelector(".tiles");
for (const button of document.querySelectorAll(".sorting button")) {
  button.addEventListener("click", () => {
    const key = button.dataset.key;
    const down = button.getAttribute("aria-pressed") === "true" && button.dataset.down !== "true";
    for (const other of document.querySelectorAll(".sorting button")) other.setAttribute("aria-pressed", String(other === button));
    button.dataset.down = String(down);
    const value = (tile) => {
      const text = tile.dataset[key] ?? "";
      return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
    };
    const sorted = [...tiles.children].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    });
    tiles.append(...sorted);
  });
}
