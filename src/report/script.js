
// A quicker tooltip than the browser's own, which says the same. The page is whole without it.
(function () {
  "use strict";
  var words = new WeakMap();
  var tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("aria-hidden", "true");
  tip.hidden = true;
  document.body.appendChild(tip);
  function said(place) {
    var title = place.querySelector("title");
    if (title) {
      words.set(place, title.textContent);
      title.remove();
    }
    return words.get(place) || "";
  }
  function put(event) {
    var margin = 12;
    var right = window.innerWidth - tip.offsetWidth - margin;
    var below = event.clientY + 18;
    var fits = window.innerHeight - below - tip.offsetHeight > 0;
    tip.style.left = Math.max(margin, Math.min(event.clientX + 14, right)) + "px";
    tip.style.top = (fits ? below : Math.max(margin, event.clientY - tip.offsetHeight - margin)) + "px";
  }
  function show(event) {
    var at = event.target;
    var place = at.closest ? at.closest(".told path") : null;
    tip.hidden = !place;
    if (place) {
      tip.textContent = said(place);
      put(event);
    }
  }
  document.addEventListener("pointerover", show);
  document.addEventListener("pointermove", function (event) {
    if (!tip.hidden) { put(event); }
  });
  document.addEventListener("pointerleave", function () { tip.hidden = true; });
  document.addEventListener("scroll", function () { tip.hidden = true; }, { passive: true });
})();
