// Choosing another language loads the page again. What was typed on it is kept over
// that one step, in this tab alone, and put back. Passwords, codes, files and what
// stands in hidden fields are never kept.

const KEY = "kept-forms";

/** What was typed: the fields of each form of the page, in their order. */
interface Kept {
  page: string;
  forms: Value[][];
}

/** A text, whether a box is ticked, or which options are chosen. */
type Value = string | boolean | boolean[] | null;

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

const UNKEPT_TYPES = ["password", "hidden", "file", "submit", "button", "reset", "image"];
const SECRET = /password|one-time-code|cc-/;

/** A password that is being looked at has the type of a text. */
function isKept(field: Field): boolean {
  return field.name !== "" && !UNKEPT_TYPES.includes(field.type) && !SECRET.test(field.autocomplete);
}

function forms(): HTMLFormElement[] {
  return [...document.querySelectorAll<HTMLFormElement>("main form")];
}

function fields(form: HTMLFormElement): Field[] {
  return [...form.querySelectorAll<Field>("input, textarea, select")];
}

function ticked(field: Field): field is HTMLInputElement {
  return field.type === "checkbox" || field.type === "radio";
}

function read(field: Field): Value {
  if (!isKept(field)) {
    return null;
  }
  if (field instanceof HTMLSelectElement) {
    return [...field.options].map((option) => option.selected);
  }
  return ticked(field) ? field.checked : field.value;
}

function write(field: Field, value: Value): void {
  const before = JSON.stringify(read(field));
  if (value === null || before === JSON.stringify(value) || before === "null") {
    return;
  }
  if (field instanceof HTMLSelectElement) {
    [...field.options].forEach((option, i) => (option.selected = (value as boolean[])[i] ?? false));
  } else if (ticked(field)) {
    field.checked = value as boolean;
  } else {
    field.value = value as string;
  }
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

/** A page without the notice that it shows once. */
function pageOf(address: string): string {
  const url = new URL(address, location.href);
  url.searchParams.delete("notice");
  return url.pathname + url.search;
}

/** Keeps what was typed for the page to which the form of the language leads back. */
function keep(language: HTMLFormElement): void {
  const next = language.querySelector<HTMLInputElement>('[name="next"]')?.value ?? "/";
  const kept: Kept = { page: pageOf(next), forms: forms().map((form) => fields(form).map(read)) };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // Nothing can be stored here: the page comes back empty, as without a script.
  }
}

/** Takes what was kept: it is for the next page alone, whichever it is. */
function take(): Kept | null {
  try {
    const kept = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return kept === null ? null : (JSON.parse(kept) as Kept);
  } catch {
    return null;
  }
}

/** Puts back what was kept, unless the page has other forms now. */
function putBack(kept: Kept): void {
  const now = forms();
  if (kept.page !== pageOf(location.href) || kept.forms.length !== now.length) {
    return;
  }
  now.forEach((form, i) => {
    const list = fields(form);
    const values = kept.forms[i] ?? [];
    if (list.length === values.length) {
      list.forEach((field, j) => write(field, values[j] ?? null));
    }
  });
}

/** Keeps forms over a change of language. */
export function keepForms(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    if (!event.defaultPrevented && form.getAttribute("action") === "/language") {
      keep(form);
    }
  });
  const kept = take();
  if (kept) {
    document.addEventListener("DOMContentLoaded", () => putBack(kept));
  }
}
