// The SCORM 1.2 data model as a table (SCORM 1.2 Run-Time Environment, 3.4.4):
// every element with its access, its type and what it is while nobody set it.

/** Who may do what with an element: read only, write only, or both. */
export type Access = "ro" | "wo" | "rw";

export interface Element {
  access: Access;
  valid: (value: string) => boolean;
  initial: string;
}

/** At least 64,000 characters of suspend data, where the standard asks for 4,096. */
export const SUSPEND_DATA = 64_000;
/** Most that a lesson may hold in all, in bytes of JSON: below the server's limit of 1 MiB. */
export const TOTAL_BYTES = 900_000;

// Types of RTE 3.4.2.1.1. No value may hold NUL, which no database text holds.
const text = (most: number) => (v: string) => v.length <= most && !v.includes("\0");
const string255 = text(255);
const string4096 = text(4096);
const pattern = (p: RegExp) => (v: string) => p.test(v);
const vocabulary = (...words: string[]) => (v: string) => words.includes(v);
/** CMIDecimal. */
export const decimal = /^-?(\d+(\.\d*)?|\.\d+)$/;
const integer = (least: number, most: number) => (v: string) =>
  /^-?\d+$/.test(v) && Number(v) >= least && Number(v) <= most;

// CMIIdentifier: no white space and nothing unprintable. Letters of every language
// are taken: content made in Spanish names its questions in Spanish.
const identifier = pattern(/^[^\s\p{C}]{1,255}$/u);
const time = pattern(/^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,2})?$/);
const timespan = pattern(/^\d{2,4}:\d{2}:\d{2}(\.\d{1,2})?$/);
const number = (v: string) => v.length <= 255 && decimal.test(v);
// A score is normalized between 0 and 100, or blank.
const score = (v: string) => v === "" || (number(v) && Number(v) >= 0 && Number(v) <= 100);
// CMIFeedback depends on the interaction's type, which content may set later or never: its form is not judged.
const feedback = string4096;
// "not attempted" is the system's word: content may set it of an objective, not of the lesson.
const lessonStatus = vocabulary("passed", "completed", "failed", "incomplete", "browsed");
const status = vocabulary("passed", "completed", "failed", "incomplete", "browsed", "not attempted");
const results = vocabulary("correct", "wrong", "unanticipated", "neutral");
const result = (v: string) => results(v) || number(v);

const never = () => false;
const ro = (initial = ""): Element => ({ access: "ro", valid: never, initial });
const rw = (valid: (v: string) => boolean, initial = ""): Element => ({ access: "rw", valid, initial });
const wo = (valid: (v: string) => boolean): Element => ({ access: "wo", valid, initial: "" });

// Maps, because a plain object knows names such as "constructor" too.
const table = <V>(rows: Record<string, V>) => new Map(Object.entries(rows));

/** Every element; n stands for an index. */
export const elements = table<Element>({
  "cmi.core.student_id": ro(),
  "cmi.core.student_name": ro(),
  "cmi.core.lesson_location": rw(string255),
  "cmi.core.credit": ro("credit"),
  "cmi.core.lesson_status": rw(lessonStatus, "not attempted"),
  "cmi.core.entry": ro(),
  "cmi.core.score.raw": rw(score),
  "cmi.core.score.min": rw(score),
  "cmi.core.score.max": rw(score),
  "cmi.core.total_time": ro("0000:00:00.00"),
  "cmi.core.lesson_mode": ro("normal"),
  "cmi.core.exit": wo(vocabulary("time-out", "suspend", "logout", "")),
  "cmi.core.session_time": wo(timespan),
  "cmi.suspend_data": rw(text(SUSPEND_DATA)),
  "cmi.launch_data": ro(),
  "cmi.comments": rw(string4096),
  "cmi.comments_from_lms": ro(),
  "cmi.objectives.n.id": rw(identifier),
  "cmi.objectives.n.score.raw": rw(score),
  "cmi.objectives.n.score.min": rw(score),
  "cmi.objectives.n.score.max": rw(score),
  "cmi.objectives.n.status": rw(status, "not attempted"),
  "cmi.student_data.mastery_score": ro(),
  "cmi.student_data.max_time_allowed": ro(),
  "cmi.student_data.time_limit_action": ro(),
  "cmi.student_preference.audio": rw(integer(-1, 100), "0"),
  "cmi.student_preference.language": rw(string255),
  "cmi.student_preference.speed": rw(integer(-100, 100), "0"),
  "cmi.student_preference.text": rw(integer(-1, 1), "0"),
  "cmi.interactions.n.id": wo(identifier),
  "cmi.interactions.n.objectives.n.id": wo(identifier),
  "cmi.interactions.n.time": wo(time),
  "cmi.interactions.n.type": wo(
    vocabulary("true-false", "choice", "fill-in", "matching", "performance", "sequencing", "likert", "numeric"),
  ),
  "cmi.interactions.n.correct_responses.n.pattern": wo(feedback),
  "cmi.interactions.n.weighting": wo(number),
  "cmi.interactions.n.student_response": wo(feedback),
  "cmi.interactions.n.result": wo(result),
  "cmi.interactions.n.latency": wo(timespan),
});

/** What _children answers. */
export const children = table<string>({
  "cmi.core":
    "student_id,student_name,lesson_location,credit,lesson_status,entry,score,total_time,lesson_mode,exit,session_time",
  "cmi.core.score": "raw,min,max",
  "cmi.objectives": "id,score,status",
  "cmi.objectives.n.score": "raw,min,max",
  "cmi.student_data": "mastery_score,max_time_allowed,time_limit_action",
  "cmi.student_preference": "audio,language,speed,text",
  "cmi.interactions": "id,objectives,time,type,correct_responses,weighting,student_response,result,latency",
});

/** What has a _count. */
export const arrays = [
  "cmi.objectives",
  "cmi.interactions",
  "cmi.interactions.n.objectives",
  "cmi.interactions.n.correct_responses",
];

export const VERSION = "3.4";

/** Hundredths of a second of a CMITimespan; 0 for anything else. */
export function centiseconds(span: string): number {
  const m = /^(\d{2,4}):(\d{2}):(\d{2})(?:\.(\d{1,2}))?$/.exec(span);
  if (!m) {
    return 0;
  }
  return Number(m[1]) * 360000 + Number(m[2]) * 6000 + Number(m[3]) * 100 + Number((m[4] ?? "").padEnd(2, "0"));
}

/** The CMITimespan of hundredths of a second. */
export function timespanOf(cs: number): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const whole = Math.min(cs, 9999 * 360000 + 359999);
  const hours = String(Math.floor(whole / 360000)).padStart(4, "0");
  return `${hours}:${two(Math.floor(whole / 6000) % 60)}:${two(Math.floor(whole / 100) % 60)}.${two(whole % 100)}`;
}
