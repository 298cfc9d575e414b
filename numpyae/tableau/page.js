document.querySelectorAll(".stepper:not(.ready)").forEach(root => {
  const find = selector => root.querySelector(selector), all = selector => [...root.querySelectorAll(selector)];
  const rows = all("tbody tr"), slider = find("input"), drawing = find(".drawing"), table = find(".table");
  let at = 0;

  function go(k) {
    at = Math.max(0, Math.min(rows.length - 1, k));
    const row = rows[at], backward = row.classList.contains("backward"), name = row.querySelector("button").textContent;
    root.classList.toggle("backward", backward);
    rows.forEach((other, i) => other.classList.toggle("here", i === at));
    all("[data-at]").forEach(text =>
      text.classList.toggle("later", at < text.dataset.at || at >= (text.dataset.until ?? Infinity)));
    const lit = row.dataset.lit.split(" ");
    all("[data-part]").forEach(part => part.classList.toggle("lit", lit.includes(part.dataset.part)));
    slider.value = at;
    find(".count").textContent = `step ${at + 1} of ${rows.length}`;
    const of = name.slice(1).replace("|", ", by way of ");
    find(".way").textContent = backward ? `← backward: the gradient of ${of}` : `→ forward: the value of ${name}`;
    const formula = row.querySelector(".formula");
    find(".big").textContent = name + (formula.classList.contains("words") ? ": " : " = ") + formula.textContent;
    find(".numbers").innerHTML = row.querySelector(".filled").innerHTML;
    const part = find(".lit"), inside = drawing.getBoundingClientRect();
    if (part) {
      const box = part.getBoundingClientRect();
      drawing.scrollLeft += (box.left + box.right - inside.left - inside.right) / 2;
    }
    table.scrollTop = row.offsetTop - table.clientHeight / 2;
  }

  find(".previous").onclick = () => go(at - 1);
  find(".next").onclick = () => go(at + 1);
  slider.oninput = () => go(+slider.value);
  rows.forEach((row, k) => row.onclick = () => go(k));
  (root.classList.contains("everywhere") ? document : root).addEventListener("keydown", event => {
    const to = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: rows.length - 1}[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(to);
  });
  root.classList.add("ready");
  go(0);
});
