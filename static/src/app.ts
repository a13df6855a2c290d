// Small conveniences on ordinary pages. Every page works without them.
// Load it in <head> without "defer": the first line must run before the page
// is drawn, so that the menu does not open and fold again.

import { keepForms } from "./page/kept";

keepForms();

document.documentElement.classList.add("mo-js");

/** The menu of narrow screens. */
function menuButton(): HTMLButtonElement | null {
  return document.querySelector("button.usa-menu-btn[aria-controls]");
}

document.addEventListener("click", (event) => {
  const button = (event.target as Element).closest("button.usa-menu-btn");
  if (button) {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
  }
});

document.addEventListener("keydown", (event) => {
  const button = menuButton();
  if (event.key === "Escape" && button?.getAttribute("aria-expanded") === "true") {
    button.setAttribute("aria-expanded", "false");
    button.focus();
  }
});

/** After this long a form may be sent again: the answer may have been a download. */
const RELEASE_MS = 10_000;
/** A wait longer than this says what it is doing. */
const EXPLAIN_MS = 2_000;

const undo = new Map<HTMLFormElement, () => void>();

/** Marks a form as sent, and says so if the answer takes long. */
function hold(form: HTMLFormElement, button: HTMLElement | null): void {
  form.setAttribute("aria-busy", "true");
  button?.setAttribute("aria-disabled", "true");
  const status = document.createElement("p");
  status.className = "mo-waiting";
  status.setAttribute("role", "status");
  form.append(status);
  const explain = window.setTimeout(() => {
    status.textContent = form.dataset["waiting"] ?? "";
  }, EXPLAIN_MS);
  const release = window.setTimeout(() => undo.get(form)?.(), RELEASE_MS);
  undo.set(form, () => {
    window.clearTimeout(explain);
    window.clearTimeout(release);
    form.removeAttribute("aria-busy");
    button?.removeAttribute("aria-disabled");
    status.remove();
    undo.delete(form);
  });
}

// A second press of a button that changes something must not send it twice.
document.addEventListener("submit", (event) => {
  const form = event.target as HTMLFormElement;
  const method = event.submitter?.getAttribute("formmethod") ?? form.method;
  if (event.defaultPrevented || method.toLowerCase() !== "post") {
    return;
  }
  if (undo.has(form)) {
    event.preventDefault();
    return;
  }
  hold(form, event.submitter);
});

// A page that comes back by the Back button is as it was left: held.
window.addEventListener("pageshow", () => {
  for (const release of [...undo.values()]) {
    release();
  }
});

// A message is for once: not for a reload, a bookmark or the way back.
const address = new URL(location.href);
if (address.searchParams.has("notice")) {
  address.searchParams.delete("notice");
  history.replaceState(history.state, "", address);
}

document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll<HTMLElement>("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
});

// A password can be looked at while it is typed.
document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-show-password]")) {
    const fields = [...form.querySelectorAll<HTMLInputElement>('input[type="password"]')];
    const last = fields[fields.length - 1];
    if (!last) {
      continue;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "usa-button usa-button--unstyled mo-show-password";
    button.setAttribute("aria-controls", fields.map((f) => f.id).join(" "));
    const show = (visible: boolean): void => {
      for (const field of fields) {
        field.type = visible ? "text" : "password";
      }
      button.textContent = (visible ? form.dataset["hidePassword"] : form.dataset["showPassword"]) ?? "";
    };
    show(false);
    button.addEventListener("click", () => show(last.type === "password"));
    form.addEventListener("submit", () => show(false));
    last.after(button);
  }
});

// A page about something that is not settled shows by itself what becomes of it.
document.addEventListener("DOMContentLoaded", () => {
  const waits = document.querySelector<HTMLElement>("[data-state-at]");
  const url = waits?.dataset["stateAt"];
  if (!url) {
    return;
  }
  const look = async (): Promise<void> => {
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" } });
      const { state } = (await answer.json()) as { state?: string };
      if (state && state !== waits.dataset["state"]) {
        location.reload();
        return;
      }
    } catch {
      // The line is down: look again.
    }
    setTimeout(() => void look(), 2000);
  };
  void look();
});
