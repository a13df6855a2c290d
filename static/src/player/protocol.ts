// What the shell (application origin) and the frame (content origin) say to each
// other by postMessage, and what the run-time endpoints answer.

/** What the shell hands to the frame once the launch is granted. */
export interface Launch {
  type: "launch";
  token: string;
  epoch: number;
  attempt: number;
  /** Session epoch -> last number acknowledged in it. */
  saved: Record<string, number>;
  title: string;
}

export type ToFrame =
  | Launch
  | { type: "exit" }
  | { type: "fence" }
  /** The message about overtaken work has been read. */
  | { type: "seen" };

/** What the application says of a course and of the person's live player. */
export interface Status {
  completed: boolean;
  posted: string;
  live?: Live;
}

/** The person's one live player, in whichever course. */
export interface Live {
  epoch: number;
  enrollment: number;
  device: string;
  since: string;
}

/**
 * Why a player is not the live one any more: the course, or another one, was opened
 * elsewhere; it was set aside or signed out of; the application session ended.
 */
export interface Stop {
  why: "fenced" | "other_course" | "closed" | "signed_out";
}

/** Why changes count for nothing yet. */
export type Held = "window_over" | "unreadable";

/** Times are milliseconds since 1970. */
export type ToShell =
  | { type: "ready" }
  | { type: "draining" }
  | { type: "waiting" }
  | { type: "running" }
  | { type: "no-journal" }
  | { type: "save"; state: "saved" | "saving" | "unsaved"; at: number }
  | { type: "seat"; ms: number }
  | { type: "completed" }
  /** The lesson has ended by itself and is still there; everything is acknowledged. */
  | { type: "left" }
  /** It has begun again. */
  | { type: "back" }
  | { type: "held"; why: Held }
  | { type: "stopped"; stop: Stop; unsent: boolean }
  /** The server does not take these answers, now or later. */
  | { type: "refused"; at: number }
  | { type: "overtaken"; at: number }
  | { type: "exited"; saved: boolean };

/** The answer to a commit or a heartbeat. */
export interface Saved {
  seq: number;
  completed: boolean;
  seat_ms: number;
  held?: Held;
}

/** What the run-time starts from. */
export interface State {
  launch: string;
  activity: string;
  data: Record<string, string>;
  entry: string;
  total_time: string;
  credit: string;
  lesson_mode: string;
  student_id: string;
  student_name: string;
  launch_data: string;
  mastery_score: string;
  max_time: string;
  time_limit: string;
  completed: boolean;
}
