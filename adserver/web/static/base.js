// The theme switch and the menus. All else on the page works without this file.
(() => {
  'use strict';
  const root = document.documentElement;
  const dark = matchMedia('(prefers-color-scheme: dark)');

  // Storage may be forbidden; the switch then lasts for this page only.
  const remembered = {
    get: () => { try { return localStorage.getItem('adserver-theme'); } catch { return null; } },
    set: (theme) => { try { localStorage.setItem('adserver-theme', theme); } catch { /* not kept */ } },
  };
  const chosen = remembered.get();
  if (chosen === 'light' || chosen === 'dark') root.dataset.theme = chosen;
  root.classList.add('scripted');

  function switchTheme() {
    const shown = root.dataset.theme || (dark.matches ? 'dark' : 'light');
    root.dataset.theme = shown === 'dark' ? 'light' : 'dark';
    remembered.set(root.dataset.theme);
    document.dispatchEvent(new Event('themechange'));
  }

  function closeMenus(except) {
    for (const menu of document.querySelectorAll('details.menu[open]')) if (menu !== except) menu.open = false;
  }

  document.addEventListener('click', (event) => {
    if (event.target.closest('[data-theme-switch]')) switchTheme();
    const copy = event.target.closest('[data-copy]');
    if (copy) navigator.clipboard?.writeText(document.getElementById(copy.dataset.copy).textContent.trim());
    closeMenus(event.target.closest('details.menu'));
  });
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') closeMenus(null); });
  dark.addEventListener('change', () => document.dispatchEvent(new Event('themechange')));
})();
