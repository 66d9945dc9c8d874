// Keys for what the page's own links and forms do; without this script they are clicked.
(() => {
  "use strict";
  const typing = (target) => target.closest("input:not([type=radio]):not([type=checkbox]), select, textarea") !== null;
  const rows = () => Array.from(document.querySelectorAll("table.queue tbody a"));

  const move = (step) => {
    const links = rows();
    if (!links.length) return;
    const now = links.indexOf(document.activeElement);
    links[Math.min(links.length - 1, Math.max(0, now + step))].focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "j") return move(1);
    if (event.key === "k") return move(-1);
    if (event.key === "?") {
      const keys = document.getElementById("keys");
      if (keys) keys.open = !keys.open;
      return;
    }
    const wanted = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!wanted || wanted.disabled) return;
    event.preventDefault();
    if (wanted.matches("button, [type=radio]")) wanted.click();
    wanted.focus();
  });
})();
