/* The little that HTML and CSS cannot do. Loaded in <head> without defer, so that the theme is set before the first paint. */
const root = document.documentElement;
const key = "theme";
const attempt = (act) => { try { return act(); } catch { return null; } };

const stored = attempt(() => localStorage.getItem(key));
if (stored === "dark" || stored === "light") root.dataset.theme = stored;

const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const label = () => document.querySelectorAll("[data-theme-switch]").forEach((b) => { b.hidden = false; b.setAttribute("aria-pressed", isDark()); });
document.addEventListener("DOMContentLoaded", () => { label(); setTimeout(refresh, every()); });

document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-theme-switch]")) {
    root.dataset.theme = isDark() ? "light" : "dark";
    attempt(() => localStorage.setItem(key, root.dataset.theme));
    label();
  }
  document.querySelectorAll("details.menu[open]").forEach((m) => { if (!m.contains(target)) m.open = false; });
});

document.addEventListener("keydown", (e) => {
  if (e.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((m) => { m.open = false; m.querySelector("summary").focus(); });
});

/* A page that says data-refresh="seconds" on its main is read again and exchanged where it changed,
   unless the person is in the middle of something: an open menu, a field, something typed, a selection. */
const every = () => Number(document.getElementById("main")?.dataset.refresh ?? 0) * 1000 || 5000;
const busy = () => document.hidden
  || document.querySelector("details.menu[open], main :is(input, textarea, select, button, pre):focus") !== null
  || [...document.querySelectorAll("main :is(input, textarea)")].some((field) => field.value !== field.defaultValue)
  || !(getSelection()?.isCollapsed ?? true);

async function refresh() {
  const main = document.getElementById("main");
  if (main?.dataset.refresh && !busy()) {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (answer?.redirected) return location.reload();
    if (answer?.ok) exchange(main, new DOMParser().parseFromString(await answer.text(), "text/html"));
  }
  setTimeout(refresh, every());
}

function exchange(main, page) {
  const fresh = page.getElementById("main");
  if (!fresh || busy() || fresh.isEqualNode(main)) return;
  const open = [...main.querySelectorAll("details.fold")].map((d) => d.open);
  fresh.querySelectorAll("details.fold").forEach((d, i) => { if (i in open) d.open = open[i]; });
  main.replaceWith(document.adoptNode(fresh));
  const nav = page.querySelector(".nav > ul");
  if (nav) document.querySelector(".nav > ul")?.replaceWith(document.adoptNode(nav));
  document.title = page.title;
}
