// The API page follows the reader's colour scheme; Swagger UI has the colours, not the switch.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
// Its field for the server has no label.
new MutationObserver((_, observer) => {
  const servers = document.getElementById("servers");
  if (!servers) return;
  servers.setAttribute("aria-label", "Server");
  observer.disconnect();
}).observe(document, { childList: true, subtree: true });
