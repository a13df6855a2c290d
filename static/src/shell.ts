// The shell: the page around a course. It launches, shows the truth about what is
// saved, and stays usable whatever the course does. The course itself runs in a
// sandboxed frame on another origin; the two talk by postMessage (player/protocol).

import { bar, saveLine, showSave, showSeat, tickOff } from "./player/bar";
import type { Save } from "./player/bar";
import { showCompleted, showLeft, showOver, showStopped, status, watchWindow } from "./player/ends";
import { byId, cover, hidePanel, notify, panel, showPanel, showStanding, stands, updatePanel } from "./player/panel";
import type { Stop, ToFrame, ToShell } from "./player/protocol";
import { failed, isComputer, launch } from "./player/start";
import type { Granted } from "./player/start";
import { clock, config, moment, say } from "./player/strings";

const READY_MS = 20_000;
/** The frame answers sooner that it has ended, or not at all. */
const EXIT_MS = 8_000;
const ASK_MS = 2_000;

/** What a player tells the person's other tabs when it takes over. */
interface Taken {
  learner: number;
  enrollment: number;
  epoch: number;
}

class Shell {
  private readonly frame = document.createElement("iframe");
  private readonly tabs = new BroadcastChannel("player");
  private save: Save = "saved";
  private journal = true;
  private running = false;
  private completed = false; // as the server says
  private asking = false; // whether it is
  private claims = 0; // of the frame, that it is
  private ended = false; // the lesson has ended by itself
  private outOfTime = false;
  private stopped = false; // another player is the live one, or none
  private leaving = false; // the course is being closed
  private closed = false; // it is, as the frame says
  private gone = false; // this page is on its way out
  private target = config.exit;
  private unreadable = false; // told already

  constructor(private readonly granted: Granted) {}

  start(): void {
    const { learner, enrollment, epoch } = this.granted;
    this.tabs.onmessage = ({ data }: MessageEvent<Taken>) => {
      if (data.learner === learner && data.epoch > epoch) {
        this.send({ type: "fence" });
        this.stop({ why: data.enrollment === enrollment ? "fenced" : "other_course" }, this.save !== "saved", false);
      }
    };
    this.tabs.postMessage({ learner, enrollment, epoch } satisfies Taken);
    window.addEventListener("message", (event: MessageEvent<ToShell>) => {
      if (event.origin === this.granted.origin && event.source === this.frame.contentWindow) {
        this.hear(event.data);
      }
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.save === "unsaved" && !this.stopped && !this.gone) {
        event.preventDefault();
      }
    });
    showSeat(this.granted.seat_ms);
    const ends = Date.parse(this.granted.ends);
    watchWindow(
      ends,
      ends - Date.parse(this.granted.now),
      (text) => {
        if (!this.completed && !this.stopped) {
          notify(text);
        }
      },
      () => this.windowOver(),
    );
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
      if (!this.running && !this.stopped && !this.completed && !this.outOfTime && !stands()) {
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
        const { token, epoch, attempt, saved, title } = this.granted;
        this.send({ type: "launch", token, epoch, attempt, saved, title });
        break;
      }
      case "draining":
      case "waiting":
        showStanding(say(message.type));
        break;
      case "running":
        this.running = true;
        showStanding("");
        hidePanel("failed"); // it was only slow
        break;
      case "no-journal":
        this.journal = false;
        notify(say("no_journal"));
        break;
      case "save":
        this.saved(message.state, message.at);
        break;
      case "seat":
        showSeat(message.ms);
        break;
      case "completed":
        void this.claimed();
        break;
      case "left":
        this.ended = true;
        this.lessonOver();
        break;
      case "back":
        this.ended = false;
        hidePanel("left");
        break;
      case "held":
        if (message.why === "window_over") {
          this.windowOver();
        } else if (!this.unreadable) {
          this.unreadable = true;
          notify(say("unreadable"));
        }
        break;
      case "refused":
        notify(say(this.journal ? "refused" : "refused_lost", { time: clock(message.at) }));
        break;
      case "stopped":
        this.stop(message.stop, message.unsent, true);
        break;
      case "overtaken":
        notify(say("overtaken", { time: moment(message.at) }), () =>
          this.send({ type: "seen" }),
        );
        break;
      case "exited":
        this.closed = true;
        this.exited(message.saved);
    }
  }

  private saved(state: Save, at: number): void {
    if (this.stopped) {
      return;
    }
    if (state === "unsaved") {
      showStanding(say(this.journal ? "unsaved_banner" : "unsaved_no_journal", { time: clock(at) }));
    } else if (this.save === "unsaved") {
      showStanding("");
    }
    this.save = state;
    showSave(state, at);
    if (state === "saved" && !this.leaving && panel() === "leave") {
      updatePanel("leave", say("exiting"));
      this.unload(); // as was asked for
    }
  }

  // --- the ends that it may come to ---

  private stop(stop: Stop, unsent: boolean, ask: boolean): void {
    if (this.stopped || this.gone) {
      return;
    }
    this.stopped = true;
    if (this.leaving && !unsent) {
      this.go();
      return;
    }
    showStanding("");
    // The frame gets a moment to write its journal, and then falls silent.
    window.setTimeout(() => {
      this.frame.remove();
      cover(null);
    }, 100);
    saveLine("");
    if (ask && stop.why !== "signed_out") {
      void this.sayWhere(unsent);
    } else {
      showStopped(stop, unsent, this.journal);
    }
  }

  // Where the newer player is, the server alone says: the frame's words may be the course's.
  private async sayWhere(unsent: boolean): Promise<void> {
    const live = (await status())?.live;
    if (live && live.epoch > this.granted.epoch) {
      const why = live.enrollment === this.granted.enrollment ? "fenced" : "other_course";
      showStopped({ why }, unsent, this.journal, live);
    } else {
      showStopped({ why: "closed" }, unsent, this.journal);
    }
  }

  // The frame says that the course is completed; it is when the server says so.
  private async claimed(): Promise<void> {
    this.claims++;
    if (this.asking || this.completed) {
      return;
    }
    this.asking = true;
    while (this.claims > 0 && !this.completed && !this.stopped && !this.gone) {
      const claims = this.claims;
      const told = await status();
      if (told?.completed) {
        this.complete();
      } else if (told && claims === this.claims) {
        this.claims = 0;
      } else {
        await new Promise((resolve) => window.setTimeout(resolve, ASK_MS));
      }
    }
    this.asking = false;
    this.lessonOver();
  }

  /** What a lesson that ended by itself leaves is a dead page: the way on is shown. */
  private lessonOver(): void {
    const busy = this.asking || this.completed || this.outOfTime || this.stopped || this.leaving || this.gone;
    if (this.ended && !busy && this.save === "saved") {
      showLeft();
    }
  }

  private complete(): void {
    this.completed = true;
    tickOff();
    if (!this.running) {
      showStanding("");
    }
    showCompleted(this.running, (to) => this.leave(to));
  }

  private windowOver(): void {
    if (this.stopped || this.completed || this.outOfTime) {
      return;
    }
    this.outOfTime = true;
    if (!this.running) {
      showStanding("");
    }
    showOver(() => this.leave());
  }

  // --- leaving ---

  /** Leaves once everything is saved; while it is not, the person decides. */
  leave(to: string = config.exit): void {
    this.target = to;
    if (this.stopped || !this.running) {
      this.go();
    } else if (this.leaving) {
      this.exited(false);
    } else if (this.save === "unsaved") {
      this.ask(() => hidePanel("leave"));
    } else {
      this.unload();
    }
  }

  private unload(): void {
    this.leaving = true;
    saveLine(say("exiting"));
    this.send({ type: "exit" });
    window.setTimeout(() => {
      if (!this.closed) {
        this.exited(false);
      }
    }, EXIT_MS);
  }

  private ask(stay: () => void): void {
    showPanel("leave", {
      title: say("exit_unsaved_title"),
      text: say(this.journal ? "exit_unsaved_text" : "exit_lost_text"),
      choices: [
        { label: say("stay"), act: stay },
        { label: say("leave"), act: () => this.go(), second: true },
      ],
    });
  }

  private exited(saved: boolean): void {
    if (this.stopped || this.gone) {
      return;
    }
    if (saved) {
      this.go();
    } else {
      // The course is closed by now: staying means to wait until it is saved.
      this.ask(() => updatePanel("leave", say("exiting")));
    }
  }

  private go(): void {
    this.gone = true;
    window.location.assign(this.target);
  }
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
