// Strings and settings that the page carries in data blocks, and how times are written.

function block<T>(id: string): T {
  return JSON.parse(document.getElementById(id)?.textContent ?? "{}") as T;
}

const strings = block<Record<string, string>>("strings");

export interface Config {
  launch: string;
  status: string;
  here: string;
  exit: string;
  report: string;
  title: string;
  hours: string;
  lang: string;
}

export const config = block<Config>("config");

/** A string of the catalogs with its {names} filled in. */
export function say(key: string, values: Record<string, string> = {}): string {
  return (strings[key] ?? key).replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

/** Times are written as in the United States, in either language. */
const locale = `${config.lang}-US`;

/** A day and a time of day on this person's clock. */
export function moment(at: number): string {
  return new Date(at).toLocaleString(locale);
}

/** A time of day on this person's clock. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString(locale, { hour: "numeric", minute: "2-digit" });
}

/** A time of day where the days of this product begin and end. */
export function central(at: number): string {
  return new Date(at).toLocaleTimeString(locale, {
    hour: "numeric", minute: "2-digit", timeZone: "America/Chicago", timeZoneName: "short",
  });
}
