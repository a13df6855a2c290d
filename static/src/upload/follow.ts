// Follows the uploads that were under way when the page was opened.

const EVERY_MS = 3_000;

/** Shows how they stand, and the page anew when they are over, unless it is busy with an upload of its own. */
export function follow(busy: () => boolean): void {
  const shown = document.getElementById("under-way");
  if (!shown) {
    return;
  }
  const look = async (): Promise<void> => {
    try {
      const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("under-way");
        if (fresh) {
          shown.replaceChildren(...fresh.childNodes);
        } else if (!busy()) {
          window.location.reload();
          return;
        }
      }
    } catch {
      // The connection is away: what is shown stays until it is back.
    }
    window.setTimeout(() => void look(), EVERY_MS);
  };
  window.setTimeout(() => void look(), EVERY_MS);
}
