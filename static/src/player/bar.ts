// The bar above the course: what is saved, the time, Exit and Help. It is on screen
// and within reach of the keyboard whatever the course does.

import { byId, hidePanel, panel, showPanel } from "./panel";
import { clock, say } from "./strings";

export type Save = "saved" | "saving" | "unsaved";

/** A save that takes less changes no words: a line that flickers says nothing. */
const SAVING_MS = 1_500;
const MINUTE = 60_000;

let saving = 0;

/** Says what is saved. The mark changes at once; the words, which are read out, only when it takes long. */
export function showSave(state: Save, at: number): void {
  window.clearTimeout(saving);
  byId("save").dataset["state"] = state;
  switch (state) {
    case "saved":
    case "unsaved":
      saveLine(say(state, { time: clock(at) }));
      break;
    case "saving":
      saving = window.setTimeout(() => saveLine(say("saving")), SAVING_MS);
  }
}

/** Puts words into the line that says what is saved. */
export function saveLine(text: string): void {
  const line = byId("save");
  if (line.textContent !== text) {
    line.textContent = text;
  }
}

/** Shows the time in the seat. */
export function showSeat(ms: number): void {
  byId("time").textContent = say("time", { minutes: String(Math.floor(ms / MINUTE)) });
  byId("time").title = say("time_label");
}

/** Ticks the course off in the contents. */
export function tickOff(): void {
  byId("activity").classList.add("mo-player__page--done");
  byId("activity-state").textContent = say("done");
}

/** Makes the bar work. */
export function bar(leave: () => void): void {
  byId("exit").addEventListener("click", (event) => {
    event.preventDefault();
    leave();
  });
  const toggle = byId("toggle");
  const contents = byId("contents");
  const fold = (open: boolean) => {
    contents.hidden = !open;
    toggle.setAttribute("aria-expanded", String(open));
  };
  toggle.addEventListener("click", () => fold(contents.hidden !== false));
  // One activity needs no list: it is there for who looks for it.
  fold(false);
  byId("help").addEventListener("click", () => {
    if (panel() === null) {
      showPanel("help", {
        title: say("help_title"),
        text: say("help_text"),
        more: say("help_more"),
        choices: [{ label: say("close"), act: () => hidePanel("help") }],
      });
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      hidePanel("help");
    }
  });
}
