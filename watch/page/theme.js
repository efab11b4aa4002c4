// Sets the theme before anything is drawn: light or dark by the system's wish, or as the switch said last.
"use strict";
(() => {
  let kept = null;
  try { kept = localStorage.getItem("mattis-theme"); } catch { /* storage may be off */ }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = kept === "dark" || (kept !== "light" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    dispatchEvent(new Event("themechange"));
  };
  system.addEventListener("change", apply);
  window.theme = {
    get dark() { return document.documentElement.dataset.theme === "dark"; },
    toggle() {
      const dark = !this.dark;
      kept = dark === system.matches ? null : dark ? "dark" : "light"; // back to the system's wish where they agree
      try { kept ? localStorage.setItem("mattis-theme", kept) : localStorage.removeItem("mattis-theme"); } catch { /* as above */ }
      apply();
    },
  };
  apply();
})();
