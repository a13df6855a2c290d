// The run-time API of SCORM 1.2 (Run-Time Environment, 3.3 and 3.4): answers every
// call at once and from memory, and tells a sink what changed. It knows no page, no
// network and no storage. The table of elements is elements.ts.

import { arrays, centiseconds, children, decimal, elements, timespanOf, TOTAL_BYTES, VERSION } from "./elements";
import type { State } from "./protocol";

/** Hears of everything that must not be lost. */
export interface Sink {
  began(): void;
  changed(element: string, value: string): void;
  committed(): void;
  finished(): void;
}

/** The object that content looks for as window.API (RTE 3.3.6.1). */
export interface API {
  LMSInitialize(parameter?: unknown): string;
  LMSFinish(parameter?: unknown): string;
  LMSGetValue(element?: unknown): string;
  LMSSetValue(element?: unknown, value?: unknown): string;
  LMSCommit(parameter?: unknown): string;
  LMSGetLastError(): string;
  LMSGetErrorString(code?: unknown): string;
  LMSGetDiagnostic(code?: unknown): string;
}

/** Error codes of RTE 3.3.5. There is no 407 in SCORM 1.2: out of range is 405. */
const errors = new Map<string, [string, string]>(Object.entries({
  "0": ["No error", "The last call went well."],
  "101": ["General exception", "The call does not fit the state of the session, or there is no room for the value."],
  "201": ["Invalid argument error", "An argument is missing or wrong, or an index skips one."],
  "202": ["Element cannot have children", "_children was asked of an element that has none."],
  "203": ["Element not an array - cannot have count", "_count was asked of an element that is no array."],
  "301": ["Not initialized", "LMSInitialize has not been called, or LMSFinish has."],
  "401": ["Not implemented error", "The data model has no element of this name."],
  "402": ["Invalid set value, element is a keyword", "_children, _count and _version cannot be set."],
  "403": ["Element is read only", "Only the system sets this element."],
  "404": ["Element is write only", "This element cannot be read."],
  "405": ["Incorrect data type", "The value does not have the type, range or vocabulary of the element."],
}));

const STATUS = "cmi.core.lesson_status";
const EXIT = "cmi.core.exit";
const SESSION = "cmi.core.session_time";
const KEYWORDS = ["_children", "_count", "_version"];

class Refusal {
  constructor(readonly code: string) {}
}

interface Place {
  /** The name with each index as a plain number: 0 may be called 00. */
  element: string;
  /** The name with n for each index. */
  generic: string;
  /** Each array on the way, by its name as called, and the index in it. */
  indices: [string, number][];
}

function locate(name: string): Place {
  const indices: [string, number][] = [];
  const parts = name.split(".").map((part) => (/^\d+$/.test(part) ? part.replace(/^0+(?=\d)/, "") : part));
  const generic = parts.map((part, i) => {
    if (!/^\d+$/.test(part)) {
      return part;
    }
    indices.push([parts.slice(0, i).join("."), Number(part)]);
    return "n";
  });
  return { element: parts.join("."), generic: generic.join("."), indices };
}

const utf8 = new TextEncoder();
/** Size as the server stores it: quotes and backslashes are escaped. */
const bytes = (s: string) => utf8.encode(JSON.stringify(s)).length + 2;

/** One lesson in one launch. */
export class Scorm12 {
  readonly api: API;
  private readonly data = new Map<string, string>();
  private readonly counts = new Map<string, number>();
  private size = 0;
  private phase: "before" | "running" | "over" = "before";
  private error = "0";
  private halted = false;
  private visited = false;
  private left = false;
  private entry: string;
  private readonly earlier: number;
  private carried = 0; // of visits before this one in the same launch
  private visit = 0; // of this one

  constructor(
    private readonly state: State,
    private readonly sink: Sink,
  ) {
    this.entry = state.entry;
    this.earlier = centiseconds(state.total_time);
    for (const [name, value] of Object.entries(state.data)) {
      this.keep(name, value);
    }
    this.api = {
      LMSInitialize: (parameter) => this.call(() => this.initialize(parameter)),
      LMSFinish: (parameter) => this.call(() => this.finish(parameter)),
      LMSGetValue: (element) => this.call(() => this.get(element), ""),
      LMSSetValue: (element, value) => this.call(() => this.set(element, value)),
      LMSCommit: (parameter) => this.call(() => this.commit(parameter)),
      // State management calls leave the error as it is (RTE 3.3.4).
      LMSGetLastError: () => this.error,
      LMSGetErrorString: (code) => errors.get(String(code))?.[0] ?? "",
      LMSGetDiagnostic: (code) => errors.get(code === undefined || code === "" ? this.error : String(code))?.[1] ?? "",
    };
  }

  /** The content has ended its session, and its document is still there. */
  get over(): boolean {
    return this.phase === "over" && !this.left && !this.halted;
  }

  /** The content's document is gone: the next LMSInitialize begins another visit. */
  contentLeft(): void {
    this.left = true;
  }

  /** Another player has taken over: whatever comes is refused and kept nowhere. */
  halt(): void {
    this.halted = true;
  }

  private call(fn: () => string, refused = "false"): string {
    try {
      const answer = fn();
      this.error = "0";
      return answer;
    } catch (refusal) {
      this.error = refusal instanceof Refusal ? refusal.code : "101";
      return refused;
    }
  }

  // The parameter of LMSInitialize, LMSFinish and LMSCommit is reserved and must be
  // the empty string (RTE 3.3.2, 3.3.3); content that leaves it out means that.
  private reserved(parameter: unknown): void {
    if (parameter !== "" && parameter !== undefined && parameter !== null) {
      throw new Refusal("201");
    }
  }

  private running(): void {
    if (this.phase !== "running") {
      throw new Refusal("301");
    }
    if (this.halted) {
      throw new Refusal("101");
    }
  }

  // Once a document has called LMSFinish its session is over, and it may not begin
  // another one (RTE 3.3.2). A document that was loaded anew may: it is another visit.
  private initialize(parameter: unknown): string {
    this.reserved(parameter);
    if (this.halted || (this.phase !== "before" && !this.left)) {
      throw new Refusal("101");
    }
    if (this.visited) {
      const suspended = this.phase === "running" || this.data.get(EXIT) === "suspend";
      this.entry = suspended ? "resume" : "";
      this.carried += this.visit;
      this.visit = 0;
    }
    this.phase = "running";
    this.visited = true;
    this.left = false;
    // How the last visit ended says nothing of how this one will.
    if (this.data.get(EXIT)) {
      this.change(EXIT, "");
    }
    this.sink.began();
    return "true";
  }

  private finish(parameter: unknown): string {
    this.reserved(parameter);
    this.running();
    const status = this.finalStatus();
    if (status !== (this.data.get(STATUS) ?? "")) {
      this.change(STATUS, status, true);
    }
    this.phase = "over";
    this.sink.finished();
    return "true";
  }

  // What becomes of the lesson status at LMSFinish (RTE 3.4.4, cmi.core.lesson_status,
  // additional behavior): the server decides by the same rule. Content left half-way,
  // to be resumed, has neither passed nor failed: its score is still running.
  private finalStatus(): string {
    const status = this.data.get(STATUS) ?? "";
    const raw = this.data.get("cmi.core.score.raw") ?? "";
    const mastery = this.state.mastery_score;
    const exit = this.data.get(EXIT) ?? "";
    const unset = status === "" || status === "not attempted";
    const halfway = exit === "suspend" && (unset || status === "incomplete");
    if (this.state.credit === "credit" && !halfway && decimal.test(raw) && decimal.test(mastery)) {
      return Number(raw) >= Number(mastery) ? "passed" : "failed";
    }
    if (!unset) {
      return status;
    }
    return exit === "" ? "completed" : "incomplete";
  }

  private commit(parameter: unknown): string {
    this.reserved(parameter);
    this.running();
    this.sink.committed();
    return "true";
  }

  private get(name: unknown): string {
    this.running();
    if (typeof name !== "string" || name === "") {
      throw new Refusal("201");
    }
    const { element, generic, indices } = locate(name);
    const keyword = generic.split(".").pop() ?? "";
    if (KEYWORDS.includes(keyword)) {
      return this.keyword(element, generic, indices, keyword);
    }
    const known = elements.get(generic);
    if (!known) {
      throw new Refusal("401");
    }
    if (known.access === "wo") {
      throw new Refusal("404");
    }
    this.within(indices);
    return this.given(element) ?? this.data.get(element) ?? known.initial;
  }

  // Keywords of RTE 3.4.1: what an element has below it, and how many.
  private keyword(element: string, generic: string, indices: [string, number][], keyword: string): string {
    if (keyword === "_version") {
      if (generic !== "cmi._version") {
        throw new Refusal("401");
      }
      return VERSION;
    }
    const parent = generic.slice(0, -keyword.length - 1);
    const known = elements.has(parent) || children.has(parent) || arrays.includes(parent);
    if (!known) {
      throw new Refusal("401");
    }
    if (keyword === "_children") {
      const list = children.get(parent);
      if (list === undefined) {
        throw new Refusal("202");
      }
      this.within(indices);
      return list;
    }
    if (!arrays.includes(parent)) {
      throw new Refusal("203");
    }
    this.within(indices);
    return String(this.counts.get(element.slice(0, -keyword.length - 1)) ?? 0);
  }

  /** An element that the system gives, "" included; undefined for all others. */
  private given(element: string): string | undefined {
    switch (element) {
      case "cmi.core.student_id":
        return this.state.student_id;
      case "cmi.core.student_name":
        return this.state.student_name;
      case "cmi.core.credit":
        return this.state.credit;
      case "cmi.core.entry":
        return this.entry;
      case "cmi.core.lesson_mode":
        return this.state.lesson_mode;
      case "cmi.core.total_time":
        return timespanOf(this.earlier + this.carried);
      case "cmi.launch_data":
        return this.state.launch_data;
      case "cmi.student_data.mastery_score":
        return this.state.mastery_score;
      case "cmi.student_data.max_time_allowed":
        return this.state.max_time;
      case "cmi.student_data.time_limit_action":
        return this.state.time_limit;
      default:
        return undefined;
    }
  }

  private set(name: unknown, value: unknown): string {
    this.running();
    if (typeof name !== "string" || name === "" || value === undefined) {
      throw new Refusal("201");
    }
    const { element, generic, indices } = locate(name);
    if (KEYWORDS.includes(generic.split(".").pop() ?? "")) {
      throw new Refusal("402");
    }
    const known = elements.get(generic);
    if (!known) {
      throw new Refusal("401");
    }
    if (known.access === "ro") {
      throw new Refusal("403");
    }
    this.within(indices, true);
    const text = value === null ? "" : String(value);
    if (!known.valid(text)) {
      throw new Refusal("405");
    }
    if (element === SESSION) {
      this.visit = centiseconds(text);
      // One session, one time: visits in the same launch add up.
      this.change(SESSION, timespanOf(this.carried + this.visit));
    } else if (this.data.get(element) !== text) {
      this.change(element, text);
    }
    return "true";
  }

  // Entries of an array are read where they are, and added one after the other
  // (RTE 3.4.1): an index may not skip one.
  private within(indices: [string, number][], adding = false): void {
    for (const [array, index] of indices) {
      const count = this.counts.get(array) ?? 0;
      if (index > count || (index === count && !adding)) {
        throw new Refusal("201");
      }
    }
  }

  private change(element: string, value: string, always = false): void {
    const growth = this.growth(element, value);
    if (growth > 0 && this.size + growth > TOTAL_BYTES && !always) {
      throw new Refusal("101");
    }
    this.keep(element, value);
    this.sink.changed(element, value);
  }

  private growth(element: string, value: string): number {
    const before = this.data.get(element);
    return bytes(value) - (before === undefined ? -bytes(element) : bytes(before));
  }

  private keep(element: string, value: string): void {
    this.size += this.growth(element, value);
    this.data.set(element, value);
    for (const [array, index] of locate(element).indices) {
      this.counts.set(array, Math.max(this.counts.get(array) ?? 0, index + 1));
    }
  }
}
