// The frame: the page on the content host between the shell and the course. It holds
// the run-time API, the journal and the transport. The order at the start is fixed:
// handshake with the shell, what was left unsent, the state, and only then the course.

import { gather, Journal } from "./player/journal";
import type { Entry } from "./player/journal";
import type { Launch, Saved, ToFrame, ToShell } from "./player/protocol";
import { Scorm12 } from "./player/scorm12";
import type { API } from "./player/scorm12";
import { Transport } from "./player/transport";
import { Use } from "./player/use";

declare global {
  interface Window {
    API?: API;
  }
}

const appOrigin = document.querySelector<HTMLMetaElement>('meta[name="app-origin"]')?.content ?? "";
const BEAT_MS = 30_000;
/** How long content may take to end when the person leaves. */
const UNLOAD_MS = 1_500;
const EXIT_MS = 4_000;
/** Content that has ended its session goes away or begins anew within this time, or stays as a dead page. */
const DEAD_MS = 2_000;

function tell(message: ToShell): void {
  window.parent.postMessage(message, appOrigin);
}

let launched = false;

window.addEventListener("message", (event: MessageEvent<ToFrame>) => {
  if (event.origin !== appOrigin || event.source !== window.parent) {
    return;
  }
  if (event.data.type === "launch" && !launched) {
    launched = true;
    void new Session(event.data).run();
  }
});

class Session {
  private journal: Journal | null = null;
  private transport!: Transport;
  private runtime: Scorm12 | undefined;
  private readonly use = new Use();
  private readonly sco = document.createElement("iframe");
  private overtaken: Entry[] = [];
  private ended = false; // completed, or out of time
  private exiting = false;
  private dead = 0; // timer
  private told = false; // that nothing can be kept on this computer

  constructor(private readonly launch: Launch) {}

  async run(): Promise<void> {
    const { token, attempt, epoch } = this.launch;
    try {
      this.journal = await Journal.open(attempt, () => this.unjournaled());
    } catch {
      this.unjournaled();
    }
    this.transport = new Transport(token, attempt, epoch, this.journal, {
      save: (state, at) => tell({ type: "save", state, at }),
      answered: (saved) => this.answered(saved),
      stopped: (stop, unsent) => {
        this.runtime?.halt();
        tell({ type: "stopped", stop, unsent });
      },
      refused: (at) => tell({ type: "refused", at }),
      waiting: () => tell({ type: "waiting" }),
    });
    this.listen();
    await this.drain();
    if (this.ended) {
      return; // by what was left unsent: there is nothing to open any more
    }
    const state = await this.transport.state();
    if (!state) {
      return;
    }
    this.ended = state.completed;
    this.runtime = new Scorm12(state, {
      changed: (element, value) => this.transport.change(state.activity, element, value),
      committed: () => this.transport.commit(),
      finished: () => {
        this.transport.finish(state.activity);
        this.dead = window.setTimeout(() => void this.left(), DEAD_MS);
      },
      began: () => {
        window.clearTimeout(this.dead);
        tell({ type: "back" });
      },
    });
    window.API = this.runtime.api;
    this.open(state.launch);
  }

  // What an earlier session left goes first, under this session's numbers; what was
  // overtaken by a newer one is kept, and the person is told.
  private async drain(): Promise<void> {
    if (!this.journal) {
      return;
    }
    const { attempt, epoch, saved } = this.launch;
    try {
      const { pending, overtaken } = await this.journal.sort(saved);
      this.overtaken = overtaken;
      const told = overtaken.find((e) => !e.seen);
      if (told) {
        tell({ type: "overtaken", at: told.at });
      }
      if (pending.length > 0) {
        tell({ type: "draining" });
        const fresh = gather(pending, epoch).map((e) => ({ ...e, attempt }));
        const stamped = await this.journal.restamp(pending, fresh).then(() => true, () => false);
        if (!stamped) {
          this.unjournaled(); // no room: it goes out from memory
        }
        this.transport.drain(fresh);
        await this.transport.idle();
        if (!stamped && !this.transport.unsent) {
          this.journal.forget(pending);
        }
      }
    } catch {
      this.unjournaled();
    }
  }

  private unjournaled(): void {
    if (!this.told) {
      this.told = true;
      tell({ type: "no-journal" });
    }
  }

  private open(path: string): void {
    Object.assign(document.documentElement.style, { height: "100%" });
    Object.assign(document.body.style, { height: "100%", margin: "0" });
    Object.assign(this.sco.style, { display: "block", width: "100%", height: "100%", border: "0" });
    this.sco.id = "sco";
    this.sco.title = this.launch.title;
    this.sco.allow = "autoplay; fullscreen";
    this.sco.addEventListener("load", () => {
      // Content that reloads itself begins another visit with its next LMSInitialize.
      this.sco.contentWindow?.addEventListener("pagehide", () => this.runtime?.contentLeft());
      this.use.watch(this.sco.contentWindow);
    });
    this.sco.src = new URL(path, `${window.location.origin}/`).href;
    document.body.append(this.sco);
    this.sco.focus();
    tell({ type: "running" });
    this.transport.report();
    window.setInterval(() => this.beat(), BEAT_MS);
  }

  private beat(): void {
    this.use.watch(this.sco.contentWindow);
    if (document.visibilityState === "visible" && this.use.now()) {
      void this.transport.beat();
    }
  }

  private listen(): void {
    window.addEventListener("pagehide", () => this.transport.flush());
    // A page that comes back has slept: another player may be the live one now.
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) {
        void this.transport.beat();
      }
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") {
        this.transport.commit();
      } else if (this.transport.unsent) {
        this.transport.hurry();
      }
    });
    window.addEventListener("message", (event: MessageEvent<ToFrame>) => {
      if (event.origin !== appOrigin || event.source !== window.parent) {
        return;
      }
      switch (event.data.type) {
        case "exit":
          void this.exit();
          break;
        case "fence":
          this.runtime?.halt();
          this.transport.stop({ why: "fenced" });
          break;
        case "seen":
          this.journal?.markSeen(this.overtaken.filter((e) => !e.seen));
          break;
        default:
      }
    });
  }

  private async left(): Promise<void> {
    await this.transport.idle();
    if (this.runtime?.over && !this.exiting) {
      tell({ type: "left" });
    }
  }

  private answered(saved: Saved): void {
    tell({ type: "seat", ms: saved.seat_ms });
    if (saved.held) {
      this.ended ||= saved.held === "window_over";
      tell({ type: "held", why: saved.held });
    }
    if (saved.completed && !this.ended) {
      this.ended = true;
      tell({ type: "completed" });
    }
  }

  // Leaving: the content is unloaded first, so that it can say its last words, and
  // then everything is sent. It answers once after some seconds and, if that was too
  // early, again when all is saved.
  private async exit(): Promise<void> {
    if (this.exiting) {
      return;
    }
    this.exiting = true;
    if (this.sco.isConnected) {
      const gone = new Promise((resolve) => this.sco.addEventListener("load", resolve, { once: true }));
      this.sco.src = "about:blank";
      await Promise.race([gone, pause(UNLOAD_MS)]);
    }
    this.transport.commit();
    await Promise.race([this.transport.idle(), pause(EXIT_MS)]);
    tell({ type: "exited", saved: !this.transport.unsent });
    if (this.transport.unsent) {
      await this.transport.idle();
      tell({ type: "exited", saved: !this.transport.unsent });
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => window.setTimeout(resolve, ms));
}

if (appOrigin !== "" && window.parent !== window) {
  tell({ type: "ready" });
}
