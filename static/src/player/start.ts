// What comes before a course: is this a computer, and does the server grant a launch.

import { showPanel } from "./panel";
import type { Launch } from "./protocol";
import { config, say } from "./strings";

/** A launch as the server grants it. */
export type Granted = Omit<Launch, "type"> & {
  origin: string;
  learner: number;
  enrollment: number;
  seat_ms: number;
  ends: string;
  now: string;
};

/**
 * Whether this is a computer. A tablet that poses as one gives itself away by its touch
 * screen (a Mac has none) or by having no pointer finer than a finger.
 */
export function isComputer(): boolean {
  const touch = navigator.maxTouchPoints > 0;
  const posing = touch && /^Mac/.test(navigator.platform);
  const fingersOnly = touch && !window.matchMedia("(any-pointer: fine)").matches;
  return !posing && !fingersOnly;
}

/** Says that the course did not open. */
export function failed(text: string): void {
  showPanel("failed", {
    look: "refused",
    title: say("failed_title"),
    text,
    choices: [
      { label: say("try_again"), act: () => window.location.reload() },
      { label: say("to_my_courses"), act: config.exit, second: true },
    ],
  });
}

const RELOADED = "player-reloaded";

/** Asks the server for a launch; undefined when the page says already why there is none. */
export async function launch(): Promise<Granted | undefined> {
  const csrf = document.querySelector<HTMLMetaElement>('meta[name="csrf"]')?.content ?? "";
  try {
    const answer = await fetch(config.launch, {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRF-Token": csrf },
      cache: "no-store",
    });
    if (answer.ok) {
      sessionStorage.removeItem(RELOADED);
      return (await answer.json()) as Granted;
    }
    // Something has changed since this page was made: the page itself says what, and
    // what to do. Once: a refusal that stays is shown here.
    if (answer.status < 500 && sessionStorage.getItem(RELOADED) === null) {
      sessionStorage.setItem(RELOADED, "1");
      window.location.reload();
      return undefined;
    }
    sessionStorage.removeItem(RELOADED);
    failed(((await answer.json()) as { message?: string }).message ?? say("failed_text"));
  } catch {
    failed(say("failed_text"));
  }
  return undefined;
}
