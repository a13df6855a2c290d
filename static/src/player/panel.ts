// The panel over the course and the banner above it: one of each, so each knows what
// it shows. While the panel shows, the
// course behind it takes no input; the bar with Exit and Help always does.

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`the page has no #${id}`);
  }
  return found;
}

export { byId };

export interface Choice {
  label: string;
  /** Where it leads, or what it does. */
  act: string | (() => void);
  /** A quieter button. */
  second?: boolean;
}

/** What the panel is about: only the one that put it up changes it or takes it down. */
export type Subject = "failed" | "stopped" | "completed" | "over" | "left" | "leave" | "help";

export interface Message {
  look?: "done" | "refused";
  title: string;
  text: string;
  more?: string;
  choices: Choice[];
}

let shown: Subject | null = null;
let stage: HTMLIFrameElement | null = null;
let before: Element | null = null;

/** Says which frame the panel covers; null: none any more. */
export function cover(frame: HTMLIFrameElement | null): void {
  stage = frame;
}

/** What the panel is about now; null while there is none. */
export function panel(): Subject | null {
  return shown;
}

export function showPanel(subject: Subject, message: Message): void {
  const panel = byId("panel");
  if (shown === null) {
    before = document.activeElement;
  }
  shown = subject;
  panel.className = `mo-player__panel${message.look ? ` mo-player__panel--${message.look}` : ""}`;
  byId("panel-title").textContent = message.title;
  tell(message.text, message.more ?? "");
  byId("panel-actions").replaceChildren(...message.choices.map(button));
  panel.hidden = false;
  if (stage) {
    stage.inert = true;
  }
  byId("panel-title").focus();
}

function button(choice: Choice): HTMLElement {
  const look = `usa-button${choice.second ? " usa-button--outline" : ""}`;
  if (typeof choice.act === "string") {
    const link = document.createElement("a");
    link.href = choice.act;
    link.className = look;
    link.textContent = choice.label;
    return link;
  }
  const made = document.createElement("button");
  made.type = "button";
  made.className = look;
  made.textContent = choice.label;
  made.addEventListener("click", choice.act);
  return made;
}

function tell(text: string, more: string): void {
  byId("panel-text").textContent = text;
  byId("panel-text").hidden = text === "";
  byId("panel-more").textContent = more;
}

/** Changes what the panel says, if it is still about that. The last line is read out. */
export function updatePanel(subject: Subject, more: string, text?: string): void {
  if (shown === subject) {
    tell(text ?? byId("panel-text").textContent ?? "", more);
  }
}

/** Takes the panel down, if it is about that. */
export function hidePanel(subject: Subject): void {
  if (shown !== subject) {
    return;
  }
  shown = null;
  byId("panel").hidden = true;
  if (stage) {
    stage.inert = false;
  }
  // Back to where the person was: the button in the bar, or the course.
  if (before instanceof HTMLElement && before !== document.body && before.isConnected) {
    before.focus();
  } else {
    stage?.focus();
  }
}

// The banner says how things stand, or else, one after the other, what happened.
let standing = "";
const notices: { text: string; closed: () => void }[] = [];

/** Says how things stand; "": as they should. */
export function showStanding(text: string): void {
  standing = text;
  banner();
}

/** Whether the banner says how things stand. */
export function stands(): boolean {
  return standing !== "";
}

/** Tells what happened, until the person puts it away; closed is called then. */
export function notify(text: string, closed: () => void = () => undefined): void {
  notices.push({ text, closed });
  banner();
}

function banner(): void {
  const notice = standing === "" ? notices[0] : undefined;
  const text = notice?.text ?? standing;
  const line = byId("banner-text");
  if (line.textContent !== text) {
    line.textContent = text; // said again, it would be read out again
  }
  const close = byId("banner-close");
  close.hidden = notice === undefined;
  close.onclick = () => {
    notices.shift();
    banner();
    notice?.closed();
  };
  byId("banner").hidden = text === "";
}
