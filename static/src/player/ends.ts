// What a course may come to: completed, out of time, or stopped because this player is
// not the live one any more. Each has its words here.

import { hidePanel, showPanel, updatePanel } from "./panel";
import type { Choice } from "./panel";
import type { Live, Status, Stop } from "./protocol";
import { central, clock, config, say } from "./strings";

const POLL_MS = 150;
const POLL_FAST_MS = 10_000;
const POLL_SLOW_MS = 3_000;
const POLL_END_MS = 180_000;
const STATUS_MS = 5_000;
const MINUTE = 60_000;

/** Says that the course is completed and, as soon as it is known, what came of its hours. */
export function showCompleted(running: boolean, leave: (to: string) => void): void {
  const back: Choice = running
    ? { label: say("keep_reading"), act: () => hidePanel("completed"), second: true }
    : { label: say("to_my_courses"), act: () => leave(config.exit), second: true };
  showPanel("completed", {
    look: "done",
    title: say("completed_title", { title: config.title }),
    text: "",
    more: say("posting"),
    choices: [{ label: say("to_report"), act: () => leave(config.report) }, back],
  });
  void awaitCredit(Date.now());
}

async function awaitCredit(since: number): Promise<void> {
  for (;;) {
    const waited = Date.now() - since;
    switch ((await status())?.posted) {
      case "credited":
        updatePanel("completed", say("posted"), say("completed_text", { hours: config.hours }));
        return;
      case "denied":
        updatePanel("completed", say("not_credited"));
        return;
      case "held":
        updatePanel("completed", say("held"));
        return;
    }
    if (waited > POLL_FAST_MS) {
      updatePanel("completed", say("post_later"));
    }
    if (waited > POLL_END_MS) {
      return;
    }
    const rest = waited > POLL_FAST_MS ? POLL_SLOW_MS : POLL_MS;
    await new Promise((resolve) => window.setTimeout(resolve, rest));
  }
}

/** Asks the application; undefined when it does not answer. */
export async function status(): Promise<Status | undefined> {
  try {
    const answer = await fetch(config.status, {
      headers: { Accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(STATUS_MS),
    });
    return answer.ok ? ((await answer.json()) as Status) : undefined;
  } catch {
    return undefined;
  }
}

/** Says that the lesson has ended by itself, and that nothing is left to save. */
export function showLeft(): void {
  showPanel("left", {
    title: say("left_title"),
    text: say("left_text"),
    choices: [
      { label: say("to_my_courses"), act: config.exit },
      { label: say("open_again"), act: () => window.location.reload(), second: true },
    ],
  });
}

/** Says that the last day to complete the course is over. */
export function showOver(leave: () => void): void {
  showPanel("over", {
    look: "refused",
    title: say("over_title"),
    text: say("over_text"),
    choices: [{ label: say("to_my_courses"), act: leave }],
  });
}

/**
 * Watches the end of the completion window, whose last day counts in full: the
 * server's clock decides, not this one. warn is given the words before it comes; over
 * is called when it has.
 */
export function watchWindow(ends: number, left: number, warn: (text: string) => void, over: () => void): void {
  const opened = performance.now();
  let warned = Infinity;
  const look = () => {
    const now = left - (performance.now() - opened);
    if (now <= 0) {
      over();
      return;
    }
    for (const minutes of [60, 10]) {
      if (now <= minutes * MINUTE && warned > minutes && now > (minutes - 9) * MINUTE) {
        warned = minutes;
        warn(say(`ends_${minutes}`, { time: central(ends) }));
      }
    }
    window.setTimeout(look, Math.min(now, MINUTE));
  };
  look();
}

/**
 * Says why this player has stopped, and what became of what it had not sent. Without
 * a newer player, that one is in this browser.
 */
export function showStopped(stop: Stop, unsent: boolean, journal: boolean, newer?: Live): void {
  const where = (elsewhere: string, here: string) =>
    newer ? say(elsewhere, { device: newer.device, time: clock(Date.parse(newer.since)) }) : say(here);
  const mine: Choice = { label: say("to_my_courses"), act: config.exit, second: true };
  const again = (label: string): Choice => ({ label: say(label), act: () => window.location.reload() });
  const signIn = `/sign-in?next=${encodeURIComponent(config.here)}`;
  const [title, text, choices] = {
    fenced: () => [say("fenced_title"), where("fenced_text", "fenced_here"), [again("take_back"), mine]] as const,
    other_course: () => [say("other_title"), where("other_text", "other_here"), [{ ...mine, second: false }]] as const,
    closed: () => [say("closed_title"), say("closed_text"), [again("open_again"), mine]] as const,
    signed_out: () =>
      [say("signed_out_title"), say("signed_out_text"), [{ label: say("sign_in"), act: signIn }]] as const,
  }[stop.why]();
  showPanel("stopped", {
    look: "refused",
    title,
    text,
    more: unsent ? say(journal ? "stopped_unsent" : "stopped_lost") : "",
    choices: [...choices],
  });
}
