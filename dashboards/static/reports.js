// The theme switch, the menus and the drawing of figures. All else on the page works without this file.
(() => {
  'use strict';
  const root = document.documentElement;
  const dark = matchMedia('(prefers-color-scheme: dark)');

  // Storage may be forbidden; the switch then lasts for this page only.
  const remembered = {
    get: () => { try { return localStorage.getItem('reports-theme'); } catch { return null; } },
    set: (theme) => { try { localStorage.setItem('reports-theme', theme); } catch { /* not kept */ } },
  };
  const chosen = remembered.get();
  if (chosen === 'light' || chosen === 'dark') root.dataset.theme = chosen;
  root.classList.add('scripted');

  // Figures name their colours as CSS tokens; only the browser knows what those are in the theme shown.
  function resolved(value, probe) {
    if (typeof value === 'string') {
      if (!value.startsWith('var(--')) return value;
      probe.style.color = value;
      return getComputedStyle(probe).color;
    }
    if (Array.isArray(value)) return value.map((part) => resolved(part, probe));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, resolved(part, probe)]));
  }

  function draw() {
    if (!window.Plotly) return;
    const probe = document.body.appendChild(document.createElement('i'));
    for (const holder of document.querySelectorAll('[data-figure]')) {
      const figure = JSON.parse(document.getElementById(holder.dataset.figure).textContent);
      Plotly.react(holder, resolved(figure.data, probe), resolved(figure.layout, probe), figure.config);
    }
    probe.remove();
  }

  // Browsers know what countries are called; without script a country is its code.
  function nameRegions() {
    const names = new Intl.DisplayNames(['en'], { type: 'region' });
    for (const place of document.querySelectorAll('[data-region]')) {
      place.title = place.dataset.region;
      place.textContent = names.of(place.dataset.region);
    }
  }

  function switchTheme() {
    const shown = root.dataset.theme || (dark.matches ? 'dark' : 'light');
    root.dataset.theme = shown === 'dark' ? 'light' : 'dark';
    remembered.set(root.dataset.theme);
    draw();
  }

  function closeMenus(except) {
    for (const menu of document.querySelectorAll('details.menu[open]')) if (menu !== except) menu.open = false;
  }

  document.addEventListener('click', (event) => {
    if (event.target.closest('[data-theme-switch]')) switchTheme();
    closeMenus(event.target.closest('details.menu'));
  });
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') closeMenus(null); });
  document.addEventListener('DOMContentLoaded', draw);
  document.addEventListener('DOMContentLoaded', nameRegions);
  dark.addEventListener('change', draw);
})();
