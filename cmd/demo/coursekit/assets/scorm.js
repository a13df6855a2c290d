"use strict";

// The learning system's side of SCORM 1.2 (Run-Time Environment, 3.3), reduced to what a lesson needs. Without a learning
// system every call is harmless, so that the lesson can still be read.
const scorm = (() => {
  const opened = Date.now();
  let api = null;
  let open = false;

  // RTE 3.3.6.1: the API stands in a parent window, or in the opener or its parents. A window of another origin throws.
  function search(win) {
    for (let depth = 0; depth < 500; depth++) {
      try {
        if (win.API) return win.API;
        if (!win.parent || win.parent === win) return null;
        win = win.parent;
      } catch {
        return null;
      }
    }
    return null;
  }

  function call(name, ...values) {
    try {
      return String(api[name](...values));
    } catch (error) {
      console.error(name, error);
      return "";
    }
  }

  const yes = (answer) => answer === "true";

  // CMITimespan, HHHH:MM:SS.SS (RTE 3.4.2.1.1).
  function timespan(milliseconds) {
    const two = (n) => String(n).padStart(2, "0");
    const seconds = Math.floor(milliseconds / 1000);
    const hours = String(Math.floor(seconds / 3600)).padStart(4, "0");
    const hundredths = Math.floor((milliseconds % 1000) / 10);
    return `${hours}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${two(hundredths)}`;
  }

  return {
    // connect tells whether a learning system listens.
    connect() {
      api = search(window) || (window.opener ? search(window.opener) : null);
      open = api !== null && yes(call("LMSInitialize", ""));
      return open;
    },
    get: (element) => (open ? call("LMSGetValue", element) : ""),
    set: (element, value) => open && yes(call("LMSSetValue", element, String(value))),
    // save answers false only if a learning system listens and did not take the values.
    save() {
      if (!open) return true;
      this.set("cmi.core.session_time", timespan(Date.now() - opened));
      return yes(call("LMSCommit", ""));
    },
    finish() {
      if (!open) return;
      this.set("cmi.core.exit", "suspend");
      this.save();
      call("LMSFinish", "");
      open = false;
    },
  };
})();
