// What the shell (application origin) and the frame (content origin) say to each
// other by postMessage, and what the run-time endpoints answer.

/** The last commit that the server has acknowledged. */
export interface Acked {
  epoch: number;
  seq: number;
}

/** What the shell hands to the frame once the launch is granted. */
export interface Launch {
  type: "launch";
  token: string;
  epoch: number;
  attempt: number;
  acked: Acked;
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
  | { type: "held" }
  | { type: "fenced"; device?: string; since?: string; unsent: boolean }
  | { type: "overtaken"; at: number }
  | { type: "exited"; saved: boolean };

/** The answer to a commit or a heartbeat. */
export interface Saved {
  acked: Acked;
  saved_at: string;
  completed: boolean;
  seat_ms: number;
  held?: string;
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
