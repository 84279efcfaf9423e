/** Makes way: once the live tiles have their numbers, when there is a message to read, and at the latest after ten seconds. */
(() => {
  const first = document.getElementById("perf-first");
  const chosen = localStorage.getItem(`stActiveTheme-${location.pathname}-v2`) ?? "";
  const name = ["Light", "Dark"].find((one) => chosen.includes(one));
  if (name) first.dataset.theme = name;
  const live = "#root .perf-tile:not([data-perf-state='loading'])";
  const spoken = "#root [data-testid='stAlert'], #root [data-testid='stException'], #root [role='dialog']";
  const count = first.querySelectorAll(".perf-tile").length;
  const watch = new MutationObserver(() => {
    if (document.querySelectorAll(live).length >= count || document.querySelector(spoken)) leave();
  });
  const leave = () => {
    watch.disconnect();
    first.remove();
  };
  watch.observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-perf-state"] });
  setTimeout(leave, 10000);
})();
