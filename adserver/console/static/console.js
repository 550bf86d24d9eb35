// Draws a creative again while it is edited. Without this file a button does it.
(() => {
  'use strict';
  const PAUSE_MS = 500;
  let waiting = 0;

  function draw(button) {
    const frame = document.querySelector(`iframe[name="${button.formTarget}"]`);
    // A frame that was shown before would make each drawing a step of the Back button.
    const fresh = frame.cloneNode();
    fresh.removeAttribute('src');
    frame.replaceWith(fresh);
    button.form.requestSubmit(button);
  }

  document.addEventListener('input', (event) => {
    const button = event.target.form?.querySelector('[data-draws]');
    if (!button) return;
    clearTimeout(waiting);
    waiting = setTimeout(draw, PAUSE_MS, button);
  });
})();
