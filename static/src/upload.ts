// Uploads a course package in chunks and shows what becomes of it. A chunk that
// fails is sent again; what arrived is kept, so an upload goes on after a break.

import { Refusal, SignedOut, call, put, renewed } from "./upload/server";
import { follow } from "./upload/follow";
import { text } from "./upload/strings";

interface Begun {
  id: number;
  chunk_size: number;
}

interface Status {
  state: "receiving" | "processing" | "done" | "refused" | "cancelled";
  step: string;
  received: number[];
  refusal: string;
  next: string;
}

const BACKOFF_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
const POLL_MS = 700;

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`no element #${id}`);
  }
  return found as T;
}

const form = element<HTMLFormElement>("upload");
const input = element<HTMLInputElement>("package");
const drop = element("drop");
const run = element("run");
const bar = element<HTMLProgressElement>("bar");
const status = element("status");
const said = element("said");
const again = element<HTMLButtonElement>("again");
const stop = element<HTMLButtonElement>("stop");
const refused = element("refused");

function megabytes(bytes: number): string {
  return bytes >= 1 << 20 ? `${(bytes / (1 << 20)).toFixed(1)} MB` : `${Math.ceil(bytes / 1024)} KB`;
}

/** One upload: begun once, and gone on with after every break. */
class Upload {
  private id = 0;
  private chunkSize = 0;
  private quarter = 0;
  private readonly abort = new AbortController();

  constructor(private readonly file: File) {}

  async go(): Promise<void> {
    if (this.id === 0) {
      const begun = await this.ask<Begun>("POST", form.dataset["begin"] ?? "", { filename: this.file.name, size: this.file.size });
      this.id = begun.id;
      this.chunkSize = begun.chunk_size;
    }
    let now = await this.ask<Status>("GET", this.path());
    if (now.state === "receiving") {
      await this.send(new Set(now.received));
      now = await this.ask<Status>("POST", this.path("/finish"), {});
    }
    leaving(false);
    if (now.state === "processing") {
      announce(text("received"));
    }
    await this.wait(now);
  }

  /** Tells whether it was given up by hand. */
  get stopped(): boolean {
    return this.abort.signal.aborted;
  }

  /** Gives the upload up. It may be too late: then the server says so. */
  async cancel(): Promise<void> {
    if (this.id !== 0) {
      await this.signedIn(() => call("POST", this.path("/cancel"), {}));
    }
    this.abort.abort();
  }

  private path(rest = ""): string {
    return `/author/uploads/${this.id}${rest}`;
  }

  private async send(received: Set<number>): Promise<void> {
    const chunks = Math.ceil(this.file.size / this.chunkSize);
    let sent = 0;
    for (let n = 0; n < chunks; n++) {
      const chunk = this.file.slice(n * this.chunkSize, (n + 1) * this.chunkSize);
      if (!received.has(n)) {
        await this.retry(() => this.sendChunk(n, chunk, (part) => this.show(sent + part)));
      }
      sent += chunk.size;
      this.show(sent);
    }
  }

  private async sendChunk(n: number, chunk: Blob, progress: (sent: number) => void): Promise<void> {
    try {
      await put(this.path(`/chunks/${n}`), chunk, this.abort.signal, progress);
    } catch (error) {
      if (!this.stopped) {
        // The server reads no chunk of somebody signed out; to this it says so.
        await call<Status>("GET", this.path(), undefined, this.abort.signal);
      }
      throw error;
    }
  }

  private show(sent: number): void {
    const percent = Math.floor((sent / this.file.size) * 100);
    bar.value = percent;
    status.textContent = text("sent", { percent, sent: megabytes(sent), total: megabytes(this.file.size) });
    if (Math.floor(percent / 25) > this.quarter && percent < 100) {
      this.quarter = Math.floor(percent / 25);
      said.textContent = text("quarter", { percent });
    }
  }

  private async wait(now: Status): Promise<void> {
    for (;;) {
      showSteps(now);
      if (now.state === "done") {
        open(now.next);
        return;
      }
      if (now.state === "refused") {
        throw new Refusal(now.refusal || text("refused"));
      }
      if (now.state === "cancelled") {
        throw new Refusal(text("cancelled"));
      }
      await pause(POLL_MS, this.abort.signal);
      now = await this.ask<Status>("GET", this.path());
    }
  }

  private ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.retry(() => call<T>(method, path, body, this.abort.signal));
  }

  /** Tries again, later each time, unless another try cannot help. */
  private async retry<T>(attempt: () => Promise<T>): Promise<T> {
    for (const wait of BACKOFF_MS) {
      try {
        return await this.signedIn(attempt);
      } catch (error) {
        if (error instanceof Refusal || error instanceof SignedOut || this.abort.signal.aborted) {
          throw error;
        }
        announce(text("retrying", { seconds: Math.round(wait / 1000) }));
        await pause(wait, this.abort.signal);
      }
    }
    return this.signedIn(attempt);
  }

  /** Goes on under the session that this browser has, when this page's is over. */
  private async signedIn<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof SignedOut && (await renewed(this.abort.signal))) {
        return attempt();
      }
      throw error;
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = window.setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      window.clearTimeout(timer);
      reject(new Error("stopped"));
    });
  });
}

/** Says something that somebody who does not see the bar must hear too. */
function announce(sentence: string): void {
  status.textContent = sentence;
  said.textContent = sentence;
}

function showSteps(now: Status): void {
  const items = [...run.querySelectorAll<HTMLElement>("[data-step]")];
  const at = items.findIndex((item) => item.dataset["step"] === now.step);
  items.forEach((item, i) => {
    const failed = i === at && now.state === "refused";
    const done = i < at || now.state === "done";
    const kind = failed ? "failed" : done ? "done" : i === at ? "doing" : "todo";
    item.className = `mo-steps__item mo-steps__item--${kind}`;
    item.toggleAttribute("aria-current", false);
    if (kind === "doing") {
      item.setAttribute("aria-current", "step");
      said.textContent = item.querySelector(".mo-steps__title")?.textContent ?? "";
    }
    const state = item.querySelector(".mo-steps__state");
    if (state) {
      state.textContent = kind === "todo" ? "" : text(`state_${kind}`);
    }
  });
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

/** Asks before the page is left while a file is on its way. */
function leaving(asks: boolean): void {
  if (asks) {
    window.addEventListener("beforeunload", ask);
  } else {
    window.removeEventListener("beforeunload", ask);
  }
}

/** Goes to a page, also when it is this one with another fragment. */
function open(address: string): void {
  const to = new URL(address, window.location.href);
  const here = to.pathname + to.search === window.location.pathname + window.location.search;
  window.location.assign(to);
  if (here) {
    window.location.reload();
  }
}

let current: Upload | null = null;

async function work(upload: Upload): Promise<void> {
  again.hidden = true;
  stop.hidden = false;
  leaving(true);
  try {
    await upload.go();
    stop.hidden = true;
  } catch (error) {
    if (upload.stopped) {
      return;
    }
    if (error instanceof Refusal) {
      end(error.message);
    } else {
      announce(error instanceof SignedOut ? error.message : text("failed"));
      again.hidden = false;
      again.focus();
    }
  } finally {
    leaving(false);
  }
}

/** Shows the box for choosing again, and why if there is a reason. */
function end(sentence: string): void {
  current = null;
  stop.hidden = true;
  again.hidden = true;
  drop.hidden = false;
  input.value = "";
  status.textContent = "";
  said.textContent = "";
  element("refusal").textContent = sentence;
  refused.hidden = false;
  refused.focus();
}

function begin(file: File): void {
  refused.hidden = true;
  document.getElementById("last-refusal")?.remove(); // it spoke of an upload before, and so does the next
  document.querySelector("main > .usa-alert--success")?.remove();
  if (file.size === 0 || file.size > Number(form.dataset["max"])) {
    end(text(file.size === 0 ? "empty" : "too_large"));
    return;
  }
  drop.hidden = true;
  run.hidden = false;
  element("name").textContent = file.name;
  bar.value = 0;
  showSteps({ state: "receiving", step: "receive", received: [], refusal: "", next: "" });
  announce(text("started", { name: file.name }));
  current = new Upload(file);
  void work(current);
}

form.hidden = false;
follow(() => current !== null);
form.addEventListener("submit", (event) => event.preventDefault());
input.addEventListener("change", () => {
  const file = input.files?.[0];
  if (file) {
    begin(file);
  }
});
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("mo-upload__drop--over");
  });
}
drop.addEventListener("dragleave", () => drop.classList.remove("mo-upload__drop--over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("mo-upload__drop--over");
  const file = event.dataTransfer?.files[0];
  if (file) {
    begin(file);
  }
});
again.addEventListener("click", () => {
  if (current) {
    void work(current);
  }
});
stop.addEventListener("click", () => {
  const upload = current;
  if (!upload) {
    return;
  }
  upload.cancel().then(
    () => {
      current = null;
      run.hidden = true;
      end(text("cancelled"));
    },
    (error: Error) => announce(error.message), // too late: the draft comes
  );
});
