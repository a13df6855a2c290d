// How the upload speaks to the server: under the session that the browser has now.

import { text } from "./strings";

/** An answer that another try will not change. */
export class Refusal extends Error {}

/** The person has to sign in again before another try. */
export class SignedOut extends Error {}

let csrf = tokenOf(document);

function tokenOf(page: Document): string {
  return page.querySelector<HTMLMetaElement>('meta[name="csrf"]')?.content ?? "";
}

/**
 * Takes the token of the session that this browser has now, which may have begun
 * in another tab. Tells whether there is one.
 */
export async function renewed(signal: AbortSignal): Promise<boolean> {
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" }, signal });
  if (!answer.ok || answer.redirected) {
    return false; // it leads to signing in
  }
  const fresh = tokenOf(new DOMParser().parseFromString(await answer.text(), "text/html"));
  const other = fresh !== "" && fresh !== csrf;
  csrf = other ? fresh : csrf;
  return other;
}

export async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { method, headers: { Accept: "application/json", "X-CSRF-Token": csrf } };
  if (signal) {
    init.signal = signal;
  }
  if (body !== undefined) {
    init.headers = { ...init.headers, "Content-Type": "application/json" };
    init.body = JSON.stringify(body);
  }
  const answer = await fetch(path, init);
  if (!answer.ok) {
    throw await failure(answer.status, await answer.text());
  }
  return (await answer.json()) as T;
}

/** Sends a small file whole. */
export async function send<T>(path: string, file: Blob): Promise<T> {
  const answer = await fetch(path, {
    method: "PUT",
    headers: { Accept: "application/json", "Content-Type": "application/octet-stream", "X-CSRF-Token": csrf },
    body: file,
  });
  if (!answer.ok) {
    throw await failure(answer.status, await answer.text());
  }
  return (await answer.json()) as T;
}

/** Sends a chunk. XMLHttpRequest, because fetch does not tell how much was sent. */
export function put(path: string, chunk: Blob, signal: AbortSignal, progress: (sent: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-CSRF-Token", csrf);
    request.upload.addEventListener("progress", (event) => progress(event.loaded));
    request.addEventListener("load", () => {
      if (request.status < 300) {
        resolve();
      } else {
        void failure(request.status, request.responseText).then(reject);
      }
    });
    request.addEventListener("error", () => reject(new Error("no connection")));
    request.addEventListener("abort", () => reject(new Error("stopped")));
    signal.addEventListener("abort", () => request.abort());
    request.send(chunk);
  });
}

async function failure(code: number, body: string): Promise<Error> {
  let said: { code?: string; message?: string } = {};
  try {
    said = JSON.parse(body) as typeof said;
  } catch {
    // A proxy's page, not an answer of ours.
  }
  const sentence = said.message ?? "";
  // The token of a form goes with the session that it was made for.
  if (code === 401 || said.code === "stale_form") {
    return new SignedOut(text("signed_out"));
  }
  if (code >= 400 && code < 500 && code !== 408 && code !== 429) {
    return new Refusal(sentence || text("refused"));
  }
  return new Error(sentence || `HTTP ${code}`);
}
