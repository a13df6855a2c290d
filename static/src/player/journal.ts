// The journal: every change, in IndexedDB, from the moment that it happens until the
// server has acknowledged it. It survives the tab, the browser and the power.

/** Changes that stand under one number; ordinal tells them apart. */
export interface Entry {
  attempt: number;
  epoch: number;
  seq: number;
  ordinal: number;
  /** Epoch of the session in which the work was done. */
  of: number;
  activity: string;
  changes: Record<string, string>;
  /** The content called LMSFinish after these changes. */
  over: boolean;
  /** When, in milliseconds since 1970. */
  at: number;
  /** The person has been told that this was overtaken. */
  seen?: boolean;
}

/** What a journal holds when a session begins. */
export interface Sorted {
  /** To be sent: nothing newer has been acknowledged. */
  pending: Entry[];
  /** Kept and shown, not sent: the course went on elsewhere since. */
  overtaken: Entry[];
}

const STORE = "changes";

type Key = [number, number, number, number];
const key = (e: Entry): Key => [e.attempt, e.epoch, e.seq, e.ordinal];

function done(request: IDBRequest | IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = () => reject(request.error ?? new Error("journal"));
    request.onerror = fail;
    if (request instanceof IDBTransaction) {
      request.oncomplete = () => resolve();
      request.onabort = fail;
    } else {
      request.onsuccess = () => resolve();
    }
  });
}

export class Journal {
  private constructor(
    private readonly db: IDBDatabase,
    private readonly attempt: number,
    private readonly broken: () => void,
  ) {}

  /** Opens the journal of an attempt; broken is called when a write fails. Rejects where the browser has no IndexedDB. */
  static async open(attempt: number, broken: () => void): Promise<Journal> {
    const request = indexedDB.open("journal", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(STORE, { keyPath: ["attempt", "epoch", "seq", "ordinal"] });
    };
    await done(request);
    const db = request.result;
    db.onversionchange = () => db.close();
    return new Journal(db, attempt, broken);
  }

  /** Writes an entry; the request is with the browser when this returns. */
  write(entry: Entry): void {
    this.change((store) => store.put(entry));
  }

  /** Forgets what the server has acknowledged of a session. */
  acknowledge(epoch: number, seq: number): void {
    this.change((store) =>
      store.delete(IDBKeyRange.bound([this.attempt, epoch], [this.attempt, epoch, seq, []])),
    );
  }

  /** Puts aside what the server refuses for good: kept under a negative epoch, and never sent again. */
  refuse(epoch: number, seq: number): void {
    this.change((store) => {
      const all: IDBRequest<Entry[]> = store.getAll(
        IDBKeyRange.bound([this.attempt, epoch, seq], [this.attempt, epoch, seq, []]),
      );
      all.onsuccess = () => this.move(store, all.result, all.result.map((e) => ({ ...e, epoch: -epoch })));
    });
  }

  /** Forgets entries that the server holds under other numbers. */
  forget(entries: Entry[]): void {
    this.change((store) => entries.forEach((e) => store.delete(key(e))));
  }

  /** Notes that the person was told of overtaken entries. */
  markSeen(entries: Entry[]): void {
    this.change((store) => entries.forEach((e) => store.put({ ...e, seen: true })));
  }

  private change(fn: (store: IDBObjectStore) => unknown): void {
    try {
      const tx = this.db.transaction(STORE, "readwrite");
      tx.onabort = () => this.broken();
      fn(tx.objectStore(STORE));
    } catch {
      this.broken();
    }
  }

  /** Sorts what is there by what the server has acknowledged, and forgets what it has. */
  async sort(saved: Record<string, number>): Promise<Sorted> {
    const newest = Math.max(0, ...Object.keys(saved).map(Number));
    const sorted: Sorted = { pending: [], overtaken: [] };
    const tx = this.db.transaction(STORE, "readwrite");
    const store = tx.objectStore(STORE);
    const all: IDBRequest<Entry[]> = store.getAll(IDBKeyRange.bound([this.attempt], [this.attempt, []]));
    all.onsuccess = () => {
      for (const e of all.result) {
        if (e.epoch < 0) {
          continue; // refused
        }
        if (e.seq <= (saved[e.epoch] ?? 0)) {
          store.delete(key(e));
        } else if (e.epoch >= newest) {
          sorted.pending.push(e);
        } else {
          sorted.overtaken.push(e);
        }
      }
    };
    await done(tx);
    return sorted;
  }

  /** Replaces entries by the same work under new numbers, all or nothing. */
  async restamp(old: Entry[], fresh: Entry[]): Promise<void> {
    const tx = this.db.transaction(STORE, "readwrite");
    try {
      this.move(tx.objectStore(STORE), old, fresh);
    } catch (error) {
      tx.abort();
      throw error;
    }
    await done(tx);
  }

  private move(store: IDBObjectStore, old: Entry[], fresh: Entry[]): void {
    old.forEach((e) => store.delete(key(e)));
    fresh.forEach((e) => store.put(e));
  }
}

/** Gathers entries, in order, into one entry for each run of the same session's work, numbered from 1 in a new epoch. */
export function gather(pending: Entry[], epoch: number): Entry[] {
  const fresh: Entry[] = [];
  for (const e of pending) {
    const last = fresh[fresh.length - 1];
    // What follows the end of a visit is another visit.
    if (last && last.of === e.of && last.activity === e.activity && !last.over) {
      Object.assign(last.changes, e.changes);
      last.over = e.over;
    } else {
      fresh.push({ ...e, epoch, seq: fresh.length + 1, ordinal: 0, changes: { ...e.changes } });
    }
  }
  return fresh;
}
