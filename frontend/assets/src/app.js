/* The little that HTML and CSS cannot do. Loaded in <head> without defer, so that the theme is set before the first paint. */
const root = document.documentElement;
const key = "theme";
const attempt = (act) => { try { return act(); } catch { return null; } };

const stored = attempt(() => localStorage.getItem(key));
if (stored === "dark" || stored === "light") root.dataset.theme = stored;

const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const label = () => document.querySelectorAll("[data-theme-switch]").forEach((b) => { b.hidden = false; b.setAttribute("aria-pressed", isDark()); });
document.addEventListener("DOMContentLoaded", () => {
  label(); listen(); wait();
  document.querySelectorAll("[data-file-for]").forEach((f) => { f.hidden = false; });
  if (window.PublicKeyCredential) document.querySelectorAll("[data-passkey]").forEach((f) => { f.hidden = false; });
});

/* A file that is chosen is read into the field that it is for: it is sent as text, after it was looked at. */
document.addEventListener("change", async ({ target }) => {
  const field = document.getElementById(target.closest("[data-file-for]")?.dataset.fileFor);
  if (field && target.files?.[0]) field.value = await target.files[0].text();
});

/* A form with data-passkey="get" or "create" asks the server what to ask the device for (data-begin), the device, and is
   then sent with what the device said. Where the server does not say, it is sent as it is: the answer is a page. */
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const base64url = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const known = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));

async function ask(action, { publicKey }) {
  publicKey.challenge = bytes(publicKey.challenge);
  if (action === "create") {
    publicKey.user.id = bytes(publicKey.user.id);
    publicKey.excludeCredentials = known(publicKey.excludeCredentials);
  } else publicKey.allowCredentials = known(publicKey.allowCredentials);
  const { id, rawId, type, response } = await navigator.credentials[action]({ publicKey });
  const said = { clientDataJSON: base64url(response.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[part]) said[part] = base64url(response[part]);
  }
  if (action === "create") said.transports = response.getTransports?.() ?? [];
  return JSON.stringify({ id, rawId: base64url(rawId), type, response: said, extensions: {} });
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-passkey]");
  if (!form) return;
  event.preventDefault();
  const failed = form.querySelector("[data-passkey-failed]");
  const token = form.elements.csrf;
  failed.hidden = true;
  const answer = await fetch(form.dataset.begin, { method: "POST", body: new URLSearchParams(token ? { csrf: token.value } : {}), headers: { accept: "application/json" } }).catch(() => null);
  const options = answer?.ok && !answer.redirected ? await answer.json().catch(() => null) : null;
  if (options) {
    const said = await ask(form.dataset.passkey, options).catch(() => null);
    if (!said) { failed.hidden = false; return; }
    form.elements.credential.value = said;
  }
  form.submit();
});

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
   unless the person is in the middle of something: an open menu, a field, something typed, a selection.
   With data-live="incident host …" it is read again when the server names one of these kinds, or one thing ("host ID"
   is said as host:ID); then it is read only now and then by itself, for its times and for what was not heard. */
const main = () => document.getElementById("main");
const seldom = 30_000, fastest = 1000;
const every = () => {
  const often = Number(main()?.dataset.refresh ?? 0) * 1000 || 5000;
  // What counts seconds goes on counting.
  return isHeard && often > 2000 ? seldom : often;
};
const chosen = (select) => [...select.options].some((option) => option.selected !== option.defaultSelected && select.value !== "");
const busy = () => document.hidden
  || document.querySelector("details.menu[open], main :is(input, textarea, select, button, pre):focus") !== null
  || [...document.querySelectorAll("main :is(input, textarea)")].some((field) => field.value !== field.defaultValue)
  || [...document.querySelectorAll("main :is([type=checkbox], [type=radio])")].some((box) => box.checked !== box.defaultChecked)
  || [...document.querySelectorAll("main select")].some(chosen)
  || !(getSelection()?.isCollapsed ?? true);

let timer, readAt = Date.now(), isReading = false, isMissed = false;
const wait = (pause = every()) => { clearTimeout(timer); timer = setTimeout(refresh, pause); };

async function refresh() {
  if (isReading || !main()?.dataset.refresh) return;
  // What was named while the person was busy is read as soon as they are not.
  if (busy()) return wait(isMissed ? fastest : every());
  isReading = true;
  isMissed = false;
  readAt = Date.now();
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (answer?.redirected) return location.reload();
  const text = answer?.ok ? await answer.text().catch(() => null) : null;
  if (text) exchange(main(), new DOMParser().parseFromString(text, "text/html"));
  isReading = false;
  wait(isMissed ? Math.max(0, readAt + fastest - Date.now()) : every());
}

/* The stream of what changed. A page out of sight has none; one that cannot be had is asked for again a minute later. */
let source = null, isHeard = false;
const concerns = (line) => {
  const [kind, id] = line.split(" ");
  const live = (main()?.dataset.live ?? "").split(" ");
  return kind === "all" || live.includes(kind) || live.some((name) => id ? name === `${kind}:${id}` : name.startsWith(`${kind}:`));
};
const soon = () => {
  if (!isMissed) wait(Math.max(0, readAt + fastest - Date.now()));
  isMissed = true;
};

function listen() {
  if (source || document.hidden || !main()?.dataset.live || !window.EventSource) return;
  source = new EventSource("/events");
  source.addEventListener("open", () => { isHeard = true; soon(); });
  source.addEventListener("change", ({ data }) => { if (data.split("\n").some(concerns)) soon(); });
  source.addEventListener("end", () => location.reload());
  source.addEventListener("error", () => {
    // Said again at each try to connect: the page's own clock is set once.
    if (isHeard) { isHeard = false; wait(); }
    if (source?.readyState === EventSource.CLOSED) { deafen(); setTimeout(listen, 60_000); }
  });
}

function deafen() { source?.close(); source = null; isHeard = false; }
addEventListener("pagehide", deafen);
addEventListener("pageshow", ({ persisted }) => { if (persisted) listen(); });
document.addEventListener("visibilitychange", () => { document.hidden ? deafen() : (listen(), soon()); });

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
