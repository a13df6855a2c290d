// The panel over the course and the banner above it. While the panel shows, the
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

export interface Message {
  look?: "done" | "refused";
  title: string;
  text: string;
  more?: string;
  choices: Choice[];
}

let stage: HTMLIFrameElement | null = null;
let before: Element | null = null;

/** Says which frame the panel covers; null: none any more. */
export function cover(frame: HTMLIFrameElement | null): void {
  stage = frame;
}

export function showPanel(message: Message): void {
  const panel = byId("panel");
  if (panel.hidden) {
    before = document.activeElement;
  }
  panel.className = `mo-player__panel${message.look ? ` mo-player__panel--${message.look}` : ""}`;
  byId("panel-title").textContent = message.title;
  byId("panel-text").textContent = message.text;
  byId("panel-more").textContent = message.more ?? "";
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

/** Changes the panel's last line, which is read out. */
export function addToPanel(text: string): void {
  byId("panel-more").textContent = text;
}

export function hidePanel(): void {
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

/** Shows a banner; with closed, it can be put away, and closed is called then. */
export function showBanner(text: string, closed?: () => void): void {
  const line = byId("banner-text");
  if (line.textContent !== text || byId("banner").hidden) {
    line.textContent = text; // said again, it would be read out again
  }
  const close = byId("banner-close");
  close.hidden = closed === undefined;
  close.onclick = () => {
    hideBanner();
    closed?.();
  };
  byId("banner").hidden = false;
}

export function hideBanner(): void {
  byId("banner").hidden = true;
}
