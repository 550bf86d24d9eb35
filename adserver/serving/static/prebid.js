/*
 * What tag.js does with Prebid.js: bids of the page's own auction → offers to the server, and a winner drawn.
 * It is a part of the tag, not a script of its own: `tag.py` puts it in its place.
 */

  /**
   * Prebid.js's best bid for each slot, when its auction ends or `data-prebid-timeout` milliseconds have passed; ad
   * units are named as their slots. Without that attribute there is none, and nothing is waited for.
   */
  const headerBids = async (asked) => {
    const patience = Number(script.dataset.prebidTimeout);
    if (!(patience > 0)) return [];
    const pbjs = (window.pbjs = window.pbjs || {});
    pbjs.que = pbjs.que || [];
    await new Promise((ended) => {
      setTimeout(ended, patience);
      pbjs.que.push(safely(() => {
        if (pbjs.getEvents().some(({ eventType }) => eventType === "auctionEnd")) ended();
        else pbjs.onEvent("auctionEnd", ended);
      }));
    });
    if (!pbjs.getHighestCpmBids) return []; // it was not loaded in time
    const offer = ({ adUnitCode: slot, adId: bid, cpm, currency, width, height }) =>
      ({ slot, bid, cpm: cpm.toFixed(6), currency, size: `${width}x${height}` });
    return asked.flatMap(({ name }) => pbjs.getHighestCpmBids(name)).map(offer);
  };

  /** Has Prebid.js draw the header bid that won, in a frame; whoever made the bid learns of it from Prebid.js. */
  const renderBid = (slot, fill) => {
    const [width, height] = dimensions(fill.size);
    const frame = create("iframe", { width: `${width}px`, maxWidth: "100%", height: `${height}px`, border: "0" });
    Object.assign(frame, { width, height, title: fill.label || "Advertisement", scrolling: "no" });
    show(slot, fill, frame);
    frame.contentDocument.body.style.margin = "0";
    window.pbjs.renderAd(frame.contentDocument, fill.bid);
  };
