/* The reader's choice of light or dark → `data-theme` on <html>, before the first paint.
 *
 * Without a choice there is no attribute and the system's preference holds, in the stylesheet as in the ads.
 */
(() => {
  "use strict";

  const KEY = "theme";
  const root = document.documentElement;
  const darkQuery = matchMedia("(prefers-color-scheme: dark)");

  /** What was chosen on an earlier page; nothing where storage is refused. */
  const remembered = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };

  const remember = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // The choice then holds for this page only.
    }
  };

  const apply = (theme) => {
    if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  };

  const isDark = () => (root.dataset.theme || (darkQuery.matches ? "dark" : "light")) === "dark";

  const start = () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      const show = () => button.setAttribute("aria-pressed", String(isDark()));
      button.hidden = false;
      show();
      darkQuery.addEventListener("change", show);
      button.addEventListener("click", () => {
        apply(isDark() ? "light" : "dark");
        remember(root.dataset.theme);
        show();
      });
    }
  };

  apply(remembered());
  document.addEventListener("DOMContentLoaded", start);
})();
