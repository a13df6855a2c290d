// The shell: the page around a course. It launches, shows the truth about what is
// saved, and stays usable whatever the course does. The course itself runs in a
// sandboxed frame on another origin; the two talk by postMessage (player/protocol).

import { addToPanel, byId, cover, hideBanner, hidePanel, showBanner, showPanel } from "./player/panel";
import type { ToFrame, ToShell } from "./player/protocol";
import { failed, isComputer, launch } from "./player/start";
import type { Granted } from "./player/start";
import { central, clock, config, say } from "./player/strings";

const READY_MS = 20_000;
const POLL_MS = 150;
const POLL_FAST_MS = 10_000;
const POLL_SLOW_MS = 3_000;
const POLL_END_MS = 180_000;
/** A save that takes less changes no words: a line that flickers says nothing. */
const SAVING_MS = 1_500;
const MINUTE = 60_000;

class Shell {
  private readonly frame = document.createElement("iframe");
  private readonly tabs = new BroadcastChannel("player");
  private save: "saved" | "saving" | "unsaved" = "saved";
  private saving = 0;
  private warned = false; // the banner says that something is not saved
  private journal = true;
  private over = false; // fenced, failed or past the window: the course has stopped
  private leaving = false;
  private running = false;
  private opening = ""; // what the banner says of the start
  private completed = false;
  private target = config.exit;

  constructor(private readonly granted: Granted) {}

  start(): void {
    this.tabs.onmessage = (event: MessageEvent<{ learner: number; epoch: number }>) => {
      if (event.data.learner === this.granted.learner && event.data.epoch > this.granted.epoch) {
        this.send({ type: "fence" });
        this.fenced(say("fenced_here"), this.save !== "saved");
      }
    };
    this.tabs.postMessage({ learner: this.granted.learner, epoch: this.granted.epoch });
    window.addEventListener("message", (event: MessageEvent<ToShell>) => {
      if (event.origin === this.granted.origin && event.source === this.frame.contentWindow) {
        this.hear(event.data);
      }
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.save === "unsaved" && !this.over && !this.leaving) {
        event.preventDefault();
      }
    });
    this.seat(this.granted.seat_ms);
    this.watchWindow();
    this.load();
  }

  private load(): void {
    this.frame.className = "mo-player__frame";
    this.frame.title = config.title;
    this.frame.allow = "autoplay; fullscreen";
    this.frame.setAttribute(
      "sandbox",
      "allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads",
    );
    this.frame.src = `${this.granted.origin}/.frame/`;
    byId("stage").prepend(this.frame);
    cover(this.frame);
    window.setTimeout(() => {
      if (!this.running && !this.over && byId("banner").hidden) {
        failed(say("blocked_text"));
      }
    }, READY_MS);
  }

  private send(message: ToFrame): void {
    this.frame.contentWindow?.postMessage(message, this.granted.origin);
  }

  private hear(message: ToShell): void {
    switch (message.type) {
      case "ready": {
        const { token, epoch, attempt, acked, saved, title } = this.granted;
        this.send({ type: "launch", token, epoch, attempt, acked, saved, title });
        break;
      }
      case "draining":
      case "waiting":
        this.opening = say(message.type);
        showBanner(this.opening);
        break;
      case "running":
        this.running = true;
        if (byId("banner-text").textContent === this.opening) {
          hideBanner();
        }
        if (!byId("panel").hidden && !this.over) {
          hidePanel();
        }
        break;
      case "no-journal":
        this.journal = false;
        showBanner(say("no_journal"), () => undefined);
        break;
      case "save":
        this.saved(message.state, message.at);
        break;
      case "seat":
        this.seat(message.ms);
        break;
      case "completed":
        this.complete();
        break;
      case "held":
        this.windowOver();
        break;
      case "fenced":
        this.fenced(
          message.since
            ? say("fenced_text", { device: message.device ?? "", time: clock(Date.parse(message.since)) })
            : say("fenced_unknown"),
          message.unsent,
        );
        break;
      case "overtaken":
        showBanner(say("overtaken", { time: new Date(message.at).toLocaleString(config.lang) }), () =>
          this.send({ type: "seen" }),
        );
        break;
      case "exited":
        this.exited(message.saved);
    }
  }

  // --- what is saved ---

  private saved(state: "saved" | "saving" | "unsaved", at: number): void {
    this.save = state;
    window.clearTimeout(this.saving);
    if (state !== "unsaved" && this.warned) {
      this.warned = false;
      hideBanner();
    }
    // The mark changes at once; the words, which are read out, only when it takes long.
    const line = byId("save");
    line.dataset["state"] = state;
    const show = (text: string) => {
      if (line.textContent !== text) {
        line.textContent = text;
      }
    };
    switch (state) {
      case "saved":
        show(say("saved", { time: clock(at) }));
        break;
      case "saving":
        this.saving = window.setTimeout(() => show(say("saving")), SAVING_MS);
        break;
      case "unsaved":
        show(say("unsaved", { time: clock(at) }));
        if (!this.over) {
          this.warned = true;
          showBanner(say(this.journal ? "unsaved_banner" : "unsaved_no_journal", { time: clock(at) }));
        }
    }
  }

  private seat(ms: number): void {
    const text = say("time", { minutes: String(Math.floor(ms / MINUTE)) });
    byId("time").textContent = text;
    byId("time").title = say("time_label");
  }

  // --- the ends that it may come to ---

  private stop(): void {
    this.over = true;
    hideBanner();
    // The frame gets a moment to write its journal, and then falls silent.
    window.setTimeout(() => {
      this.frame.remove();
      cover(null);
    }, 100);
  }

  private fenced(text: string, unsent: boolean): void {
    if (this.over || this.leaving) {
      return;
    }
    this.stop();
    byId("save").textContent = "";
    showPanel({
      look: "refused",
      title: say("fenced_title"),
      text,
      more: unsent ? say("fenced_unsent") : "",
      choices: [
        { label: say("take_back"), act: () => window.location.reload() },
        { label: say("to_my_courses"), act: config.exit, second: true },
      ],
    });
  }

  private complete(): void {
    if (this.completed) {
      return;
    }
    this.completed = true;
    byId("activity").classList.add("mo-player__page--done");
    byId("activity-state").textContent = say("done");
    showPanel({
      look: "done",
      title: say("completed_title", { title: config.title }),
      text: say("completed_text", { hours: config.hours }),
      more: say("posting"),
      choices: [
        { label: say("to_report"), act: () => this.leave(config.report) },
        { label: say("keep_reading"), act: hidePanel, second: true },
      ],
    });
    void this.awaitCredit(Date.now());
  }

  private async awaitCredit(since: number): Promise<void> {
    for (;;) {
      const waited = Date.now() - since;
      if (waited > POLL_END_MS) {
        addToPanel(say("post_later"));
        return;
      }
      const posted = await this.posted();
      if (posted) {
        addToPanel(say({ credited: "posted", denied: "not_credited", held: "held" }[posted] ?? "post_later"));
        return;
      }
      if (waited > POLL_FAST_MS) {
        addToPanel(say("post_later"));
      }
      await pause(waited > POLL_FAST_MS ? POLL_SLOW_MS : POLL_MS);
    }
  }

  private async posted(): Promise<string> {
    try {
      const answer = await fetch(config.status, { headers: { Accept: "application/json" }, cache: "no-store" });
      return answer.ok ? ((await answer.json()) as { posted: string }).posted : "";
    } catch {
      return "";
    }
  }

  // The window's last day counts in full; the server's clock decides, not this one.
  private watchWindow(): void {
    const ends = Date.parse(this.granted.ends);
    const left = ends - Date.parse(this.granted.now);
    const opened = performance.now();
    let warned = Infinity;
    const look = () => {
      const now = left - (performance.now() - opened);
      if (this.completed || this.over) {
        return;
      }
      if (now <= 0) {
        this.windowOver();
        return;
      }
      for (const minutes of [60, 10]) {
        if (now <= minutes * MINUTE && warned > minutes && now > (minutes - 9) * MINUTE) {
          warned = minutes;
          showBanner(say(`ends_${minutes}`, { time: central(ends) }), () => undefined);
        }
      }
      window.setTimeout(look, Math.min(now, MINUTE));
    };
    look();
  }

  private windowOver(): void {
    if (this.over || this.completed) {
      return;
    }
    showPanel({
      look: "refused",
      title: say("over_title"),
      text: say("over_text"),
      choices: [{ label: say("to_my_courses"), act: () => this.leave(config.exit) }],
    });
  }

  // --- leaving ---

  /** Leaves once everything is saved; while it is not, the person decides. */
  leave(to: string = config.exit): void {
    this.target = to;
    if (this.over || !this.running) {
      this.go();
    } else if (this.save === "unsaved" && !this.leaving) {
      this.ask(hidePanel);
    } else {
      this.unload();
    }
  }

  private unload(): void {
    this.leaving = true;
    byId("save").textContent = say("exiting");
    this.send({ type: "exit" });
  }

  private ask(stay: () => void): void {
    showPanel({
      title: say("exit_unsaved_title"),
      text: say(this.journal ? "exit_unsaved_text" : "exit_lost_text"),
      choices: [
        { label: say("stay"), act: stay },
        { label: say("leave"), act: () => this.go(), second: true },
      ],
    });
  }

  private exited(saved: boolean): void {
    if (saved) {
      this.go();
    } else {
      // The course is closed by now: staying means to wait until it is saved.
      this.ask(() => addToPanel(say("exiting")));
    }
  }

  private go(): void {
    this.leaving = true;
    window.location.assign(this.target);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => window.setTimeout(resolve, ms));
}

function bar(leave: () => void): void {
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
    if (byId("panel").hidden) {
      showPanel({
        title: say("help_title"),
        text: say("help_text"),
        more: say("help_more"),
        choices: [{ label: say("close"), act: hidePanel }],
      });
    }
  });
  document.addEventListener("keydown", (event) => {
    const close = byId("panel-title").textContent === say("help_title");
    if (event.key === "Escape" && close && !byId("panel").hidden) {
      hidePanel();
    }
  });
}

async function begin(): Promise<void> {
  if (!isComputer()) {
    window.location.replace(`${config.here}?device=tablet`);
    return;
  }
  let shell: Shell | undefined;
  bar(() => (shell ? shell.leave() : window.location.assign(config.exit)));
  const granted = await launch();
  if (granted) {
    shell = new Shell(granted);
    shell.start();
  }
}

// A page from the back-forward cache shows a session that may be over: begin anew.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    window.location.reload();
  }
});

void begin();
