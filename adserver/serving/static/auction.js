// What an auction's winner reports of itself, in the frame that somebody drew it in: whether it can be seen, and was.
(({ dataset }, unit) => {
  const report = (type) =>
    navigator.sendBeacon(`${dataset.base}/v1/events`, JSON.stringify({ events: [{ fill: dataset.fill, type }] }));
  // The page's focus can be asked for only where the frame is of its origin.
  const focused = () => {
    try {
      return top.document.hasFocus();
    } catch {
      return true;
    }
  };
  if (!window.IntersectionObserver) return;
  report("measurable");
  let visible = false;
  let since = 0;
  const observer = new IntersectionObserver(
    (entries) => entries.forEach(({ intersectionRatio }) => (visible = intersectionRatio >= dataset.ratio)),
    { threshold: Number(dataset.ratio) },
  );
  observer.observe(unit);
  const timer = setInterval(() => {
    if (!(visible && document.visibilityState === "visible" && focused())) since = 0;
    else if (!since) since = Date.now();
    else if (Date.now() - since >= 1000) {
      clearInterval(timer);
      observer.disconnect();
      report("viewable");
    }
  }, 100);
})(document.currentScript, document.currentScript.previousElementSibling.previousElementSibling);
