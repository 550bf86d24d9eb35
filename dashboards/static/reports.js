// The drawing of figures, the keys of periods, names of countries, and what is renewed. All else works without this file.
(() => {
  'use strict';
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

  // A key alone opens the link that names it; while something is typed, keys are for typing.
  function follow(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea')) return;
    const link = [...document.querySelectorAll('[aria-keyshortcuts]')]
      .find((one) => one.getAttribute('aria-keyshortcuts') === event.key.toLowerCase());
    if (link) link.click();
  }

  // A page of now asks for itself again each second while somebody looks, and takes over what it says.
  async function renew(place) {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const newer = answer.ok && page.querySelector('[data-live]');
        if (newer) place.replaceChildren(...newer.childNodes);
        place.classList.toggle('lost', !newer);
      } catch { place.classList.add('lost'); }
    }
    setTimeout(renew, 1000, place);
  }

  // Scripts that are deferred have run by then.
  document.addEventListener('DOMContentLoaded', () => {
    draw();
    nameRegions();
    const live = document.querySelector('[data-live]');
    if (live) setTimeout(renew, 1000, live);
  });
  document.addEventListener('keydown', follow);
  document.addEventListener('themechange', draw);
  // What is dark on the screen is printed light.
  matchMedia('print').addEventListener('change', draw);
})();
