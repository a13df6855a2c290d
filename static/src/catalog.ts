// The catalog's results follow what is typed and chosen. Without this script the
// same form is sent with its button.

const PAUSE_MS = 250;

const form = document.getElementById("find") as HTMLFormElement | null;
const facets = document.getElementById("facets") as HTMLDetailsElement | null;

if (form && facets) {
  for (const button of form.querySelectorAll<HTMLElement>("[data-without-script]")) {
    button.hidden = true;
  }
  // On a narrow screen the results come first.
  if (window.matchMedia("(max-width: 54.99em)").matches) {
    facets.open = false;
  }

  let asked = 0;
  let timer = 0;

  /** The address that the form asks for, without what is left empty. */
  const address = (): string => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (typeof value === "string" && value !== "" && !(name === "sort" && value === "title")) {
        query.append(name, value);
      }
    }
    const text = query.toString();
    return text === "" ? form.action : `${form.action}?${text}`;
  };

  const show = async (): Promise<void> => {
    const mine = ++asked;
    const to = address();
    try {
      const answer = await fetch(to, { headers: { Accept: "text/html" } });
      if (!answer.ok) {
        throw new Error(`HTTP ${answer.status}`);
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("results");
      const old = document.getElementById("results");
      if (mine !== asked || !fresh || !old) {
        return; // something newer was asked for meanwhile
      }
      // The count stays the same element, so that it is announced.
      const count = document.getElementById("count");
      const freshCount = page.getElementById("count");
      if (count && freshCount) {
        count.textContent = freshCount.textContent;
        freshCount.replaceWith(count);
      }
      old.replaceChildren(...fresh.childNodes);
      history.replaceState(null, "", to);
    } catch {
      if (mine === asked) {
        form.submit(); // the browser shows what is wrong
      }
    }
  };

  form.addEventListener("input", () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void show(), PAUSE_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    window.clearTimeout(timer);
    void show();
  });
}
