// The sentences of the page's script, in the page's language.

const strings = JSON.parse(document.getElementById("strings")?.textContent ?? "{}") as Record<string, string>;

export function text(key: string, values: Record<string, string | number> = {}): string {
  return (strings[key] ?? key).replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all));
}
