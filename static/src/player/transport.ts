// The way to the server: one queue of numbered batches, at most one ordinary commit
// in flight. A number is given once, when its first change is journaled; a batch is
// sent again under the same number until the server acknowledges it. Only that makes
// it saved.

import type { Entry, Journal } from "./journal";
import type { Saved, State, Stop } from "./protocol";
import { Wire } from "./wire";
import type { Outcome } from "./wire";

export interface Listener {
  save(state: "saved" | "saving" | "unsaved", at: number): void;
  answered(saved: Saved): void;
  stopped(stop: Stop, unsent: boolean): void;
  /** The server does not take these answers, now or later: they are put aside. */
  refused(at: number): void;
  /** The course cannot start yet: the server does not answer. */
  waiting(): void;
}

interface Batch {
  seq: number;
  of: number;
  activity: string;
  changes: Record<string, string>;
  over: boolean;
  at: number;
  entries: number;
  /** Sent at least once: nothing more goes in. */
  sealed: boolean;
  /** Its changes were refused for good: the number goes out without them. */
  emptied?: boolean;
}

const IDLE_MS = 1_000;
/** Changes without a pause wait no longer than this. */
const LONGEST_MS = 5_000;
const BACKOFF_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
/** What browsers let one document have in flight with keepalive, in bytes. */
const KEEPALIVE_BYTES = 65_536;
/** A commit's body stays under the server's limit of 1 MiB. */
const BODY_BYTES = 1_000_000;
const BODY_BATCHES = 150;
const URGENT = /^cmi\.core\.(lesson_status|exit|score\..+)$/;

const utf8 = new TextEncoder();

export class Transport {
  private readonly wire: Wire;
  private readonly queue: Batch[] = [];
  private last = 0; // number given last
  private flights = 0;
  private kept = 0; // bytes in flight with keepalive
  private flushed = 0; // number up to which a flush is in flight
  private failures = 0;
  private timer = 0;
  private urgent = false; // what is queued does not wait for a pause
  private alone = false; // one of the batches was refused: they go one by one
  private stopped = false;
  private savedAt = Date.now();
  private waiting: (() => void)[] = [];

  constructor(
    token: string,
    private readonly attempt: number,
    private readonly epoch: number,
    private readonly journal: Journal | null,
    private readonly listener: Listener,
  ) {
    this.wire = new Wire(token);
    window.addEventListener("online", () => this.hurry());
  }

  /** Whether something has not been acknowledged. */
  get unsent(): boolean {
    return this.queue.length > 0;
  }

  /** Queues an earlier session's work, restamped and journaled already. */
  drain(entries: Entry[]): void {
    for (const e of entries) {
      this.queue.push({ ...e, entries: 1, sealed: true });
      this.last = e.seq;
    }
    this.report();
    this.soon();
  }

  /** Queues a change: into the journal at once, to the server soon. */
  change(activity: string, element: string, value: string): void {
    this.add(activity, { [element]: value }, false);
    if (URGENT.test(element)) {
      this.soon();
    } else {
      this.later();
    }
  }

  /** Sends what there is. */
  commit(): void {
    if (this.unsent) {
      this.soon();
    }
  }

  /** The content called LMSFinish: the page may be closing. */
  finish(activity: string): void {
    this.add(activity, {}, true);
    this.flush();
  }

  private add(activity: string, changes: Record<string, string>, over: boolean): void {
    if (this.stopped) {
      return;
    }
    let batch = this.queue[this.queue.length - 1];
    if (!batch || batch.sealed || batch.over) {
      batch = {
        seq: ++this.last, of: this.epoch, activity, changes: {}, over: false,
        at: Date.now(), entries: 0, sealed: false,
      };
      this.queue.push(batch);
    }
    Object.assign(batch.changes, changes);
    batch.over = over;
    this.journal?.write({
      attempt: this.attempt, epoch: this.epoch, seq: batch.seq, ordinal: batch.entries++,
      of: batch.of, activity, changes, over, at: Date.now(),
    });
    this.report();
  }

  /** Sends all that is not acknowledged in one request that outlives the page, if it fits into what browsers allow. */
  flush(): void {
    if (this.stopped || this.queue.length === 0 || this.flushed === this.last) {
      return;
    }
    this.cancel();
    const batches = [...this.queue];
    const body = this.body(batches);
    const size = utf8.encode(body).length;
    const fits = this.kept + size <= KEEPALIVE_BYTES;
    if (fits) {
      this.kept += size;
      this.flushed = this.last;
    }
    void this.send(body, fits).then((outcome) => {
      if (fits) {
        this.kept -= size;
      }
      this.flushed = 0;
      this.settle(outcome, batches);
    });
  }

  /** Resolves when everything is acknowledged, or when this player has stopped. */
  idle(): Promise<void> {
    return this.queue.length === 0 || this.stopped
      ? Promise.resolve()
      : new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Tries again now: the line is back, or the page is looked at again. */
  hurry(): void {
    if (this.unsent) {
      this.arm(0);
    }
  }

  /** This player is not the live one any more: nothing more is sent. */
  stop(stop: Stop): void {
    if (this.stopped) {
      return;
    }
    this.stopped = true;
    this.cancel();
    this.listener.stopped(stop, this.unsent);
    this.release();
  }

  /** Tells the server that the course is visible and used, and asks whether this player is still the live one. */
  async beat(): Promise<void> {
    if (this.stopped) {
      return;
    }
    const outcome = await this.wire.ask<Saved>("/.rt/heartbeat", JSON.stringify({ epoch: this.epoch }));
    if (outcome.kind === "stopped") {
      this.stop(outcome.stop);
    } else if (outcome.kind === "answer" && !this.stopped) {
      this.acknowledged(outcome.answer.seq);
      this.listener.answered(outcome.answer);
      this.report();
      if (this.failures > 0) {
        this.hurry();
      }
    }
  }

  /** The state to start from; undefined when this player has stopped. Tries until it has an answer. */
  async state(): Promise<State | undefined> {
    while (!this.stopped) {
      const outcome = await this.wire.ask<State>("/.rt/state", JSON.stringify({ epoch: this.epoch }));
      if (outcome.kind === "answer") {
        this.failures = 0;
        return outcome.answer;
      }
      if (outcome.kind === "stopped") {
        this.stop(outcome.stop);
        return undefined;
      }
      this.failures++;
      this.listener.waiting();
      await new Promise((resolve) => window.setTimeout(resolve, this.backoff()));
    }
    return undefined;
  }

  private soon(): void {
    this.urgent = true;
    if (this.failures === 0) {
      this.arm(0);
    }
  }

  // After a pause; but changes without a pause do not wait for ever.
  private later(): void {
    const newest = this.queue[this.queue.length - 1];
    if (!this.urgent && this.failures === 0 && newest) {
      this.arm(Math.min(IDLE_MS, newest.at + LONGEST_MS - Date.now()));
    }
  }

  private arm(delay: number): void {
    this.cancel();
    if (!this.stopped) {
      this.timer = window.setTimeout(() => this.pump(), Math.max(0, delay));
    }
  }

  private cancel(): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
  }

  private backoff(): number {
    const base = BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length) - 1] ?? 0;
    return base * (0.75 + Math.random() / 2);
  }

  private pump(): void {
    this.cancel();
    if (this.stopped || this.queue.length === 0) {
      return;
    }
    if (this.flights > 0) {
      this.urgent = true; // what is in flight pumps again when it lands
      return;
    }
    this.urgent = false;
    const batches: Batch[] = [];
    let size = 0;
    for (const b of this.queue) {
      size += JSON.stringify(b.changes).length * 3 + 200; // UTF-8 has at most 3 bytes for each UTF-16 unit
      if (batches.length > 0 && (this.alone || size > BODY_BYTES || batches.length === BODY_BATCHES)) {
        break;
      }
      batches.push(b);
    }
    void this.send(this.body(batches), false).then((outcome) => this.settle(outcome, batches));
  }

  private body(batches: Batch[]): string {
    const wire = batches.map((b) => {
      b.sealed = true;
      return { seq: b.seq, of_epoch: b.of, activity: b.activity, changes: b.changes, terminated: b.over, made_at: b.at };
    });
    const main = wire.pop();
    return JSON.stringify({ epoch: this.epoch, ...main, ...(wire.length > 0 ? { earlier: wire } : {}) });
  }

  private async send(body: string, keepalive: boolean): Promise<Outcome<Saved>> {
    this.flights++;
    const outcome = await this.wire.ask<Saved>("/.rt/commit", body, keepalive);
    this.flights--;
    return outcome;
  }

  private settle(outcome: Outcome<Saved>, batches: Batch[]): void {
    if (this.stopped) {
      return;
    }
    switch (outcome.kind) {
      case "stopped":
        this.stop(outcome.stop);
        return;
      case "answer":
        this.failures = 0;
        this.acknowledged(outcome.answer.seq);
        this.listener.answered(outcome.answer);
        break;
      case "gap":
        this.acknowledged(outcome.seq);
        this.failures++;
        break;
      case "refused":
        this.sift(batches);
        break;
      case "failed":
        this.failures++;
    }
    this.report();
    const next = this.queue[0];
    if (!next) {
      this.alone = false;
      this.release();
    } else if (this.failures > 0) {
      this.arm(this.backoff());
    } else if (next.sealed || this.urgent) {
      this.arm(0);
    } else if (!this.timer) {
      this.later();
    }
  }

  // Of several batches each goes alone, to find the one that is refused. That one is
  // put aside and its number goes out empty, so that what follows arrives.
  private sift(batches: Batch[]): void {
    const batch = batches[0];
    if (batches.length > 1) {
      this.alone = true;
    } else if (!batch || batch.emptied) {
      this.failures++; // it cannot be what it holds
    } else {
      this.alone = false;
      this.journal?.refuse(this.epoch, batch.seq);
      batch.changes = {};
      batch.over = false; // without its changes it would end another visit than it did
      batch.emptied = true;
      this.listener.refused(batch.at);
    }
  }

  private acknowledged(seq: number): void {
    this.savedAt = Date.now();
    if (!this.queue[0] || this.queue[0].seq > seq) {
      return;
    }
    while (this.queue[0] && this.queue[0].seq <= seq) {
      this.queue.shift();
    }
    this.journal?.acknowledge(this.epoch, seq);
  }

  private release(): void {
    this.waiting.splice(0).forEach((resolve) => resolve());
  }

  /** Says where things stand. */
  report(): void {
    const first = this.queue[0];
    if (!first) {
      this.listener.save("saved", this.savedAt);
    } else {
      this.listener.save(this.failures > 0 ? "unsaved" : "saving", first.at);
    }
  }
}
