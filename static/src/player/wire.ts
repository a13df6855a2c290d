// One call to the run-time endpoints, and what its answer means.

import type { Stop } from "./protocol";

export type Outcome<T> =
  | { kind: "answer"; answer: T }
  /** An earlier number is missing; seq is the last one that the server has. */
  | { kind: "gap"; seq: number }
  | { kind: "stopped"; stop: Stop }
  /** Sent again, it would be refused again. */
  | { kind: "refused" }
  | { kind: "failed" };

const ANSWER_MS = 20_000;
const FOR_GOOD = ["form", "too_large", "commit_form", "commit_too_large"];

export class Wire {
  constructor(private readonly token: string) {}

  /** Asks once. With keepalive the call outlives the page. */
  async ask<T>(path: string, body: string, keepalive = false): Promise<Outcome<T>> {
    const gone = new AbortController();
    const limit = window.setTimeout(() => gone.abort(), ANSWER_MS);
    try {
      const answer = await fetch(path, {
        method: "POST",
        headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json", Accept: "application/json" },
        body,
        keepalive,
        credentials: "omit",
        cache: "no-store",
        signal: gone.signal,
      });
      return answer.ok ? { kind: "answer", answer: (await answer.json()) as T } : refusal(await answer.json());
    } catch {
      return { kind: "failed" };
    } finally {
      window.clearTimeout(limit);
    }
  }
}

// Only our own code says what a refusal means: any other answer may come from
// something on the way, and is a failed try.
function refusal(told: { code?: string; seq?: number }): Outcome<never> {
  switch (told.code) {
    case "commit_gap":
      return { kind: "gap", seq: told.seq ?? 0 };
    case "fenced":
      return { kind: "stopped", stop: { why: "fenced" } };
    case "not_found": // the grant is no more
      return { kind: "stopped", stop: { why: "closed" } };
    case "unauthenticated":
      return { kind: "stopped", stop: { why: "signed_out" } };
    default:
      return { kind: FOR_GOOD.includes(told.code ?? "") ? "refused" : "failed" };
  }
}
