// Sends a file of records, and follows it while its rows are worked.

import { Refusal, send } from "./upload/server";
import { follow } from "./upload/follow";
import { text } from "./upload/strings";

/** The most that the server takes of a file. */
const MAX = 8 << 20;

let busy = false;

function refuse(sentence: string): void {
  const refused = document.getElementById("refused") as HTMLElement;
  (document.getElementById("refusal") as HTMLElement).textContent = sentence;
  refused.hidden = false;
  refused.focus();
}

const form = document.querySelector<HTMLFormElement>("form#import");
const input = document.querySelector<HTMLInputElement>("#file");
const said = document.getElementById("said");
if (form && input && said) {
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("change", async () => {
    const file = input.files?.[0];
    if (!file || busy) {
      return;
    }
    (document.getElementById("refused") as HTMLElement).hidden = true;
    if (file.size > MAX) {
      refuse(text("large"));
      return;
    }
    busy = true;
    said.textContent = text("sending");
    try {
      const { next } = await send<{ next: string }>(form.dataset["to"] + encodeURIComponent(file.name), file);
      window.location.assign(next);
    } catch (error) {
      refuse(error instanceof Refusal ? error.message : text("failed"));
    } finally {
      busy = false;
      said.textContent = "";
      input.value = "";
    }
  });
}
follow(() => busy);
