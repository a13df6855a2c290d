// Whether somebody uses the course: a key, a pointer or a scroll within the last five
// minutes, or a video or a recording that plays. It reaches into every frame of the
// content, which shares this origin.

const FRESH_MS = 5 * 60_000;
const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel", "scroll", "touchstart", "input"];

export class Use {
  private last = Date.now();
  private readonly known = new WeakSet<Document>();
  private windows: Window[] = [];

  /** Listens in a window and all frames below it; call it again when there may be new ones. */
  watch(win: Window | null): void {
    this.windows = [];
    this.enter(win);
  }

  private enter(win: Window | null): void {
    if (!win) {
      return;
    }
    try {
      const doc = win.document;
      this.windows.push(win);
      if (!this.known.has(doc)) {
        this.known.add(doc);
        for (const sign of SIGNS) {
          doc.addEventListener(sign, () => (this.last = Date.now()), { capture: true, passive: true });
        }
      }
      for (let i = 0; i < win.frames.length; i++) {
        this.enter(win.frames[i] ?? null);
      }
    } catch {
      // A frame of another origin: nothing to see.
    }
  }

  /** Whether the course is in use now. */
  now(): boolean {
    if (this.windows.some(plays)) {
      this.last = Date.now();
    }
    return Date.now() - this.last < FRESH_MS;
  }
}

function plays(win: Window): boolean {
  try {
    const media = win.document.querySelectorAll<HTMLMediaElement>("video, audio");
    return Array.from(media).some((m) => !m.paused && !m.ended);
  } catch {
    return false;
  }
}
