"use strict";

// Turns the long page into a lesson: one screen at a time, a bookmark, a quiz. What the learner did goes to the learning
// system and comes back from it at the next visit, without a question.
(() => {
  const words = {
    place: (n, of) => `Page ${n} of ${of}`,
    seen: "(read)",
    right: "That’s right.",
    wrong: (best) => `Not quite. The best answer: ${best}.`,
    choose: "Choose an answer first.",
    unanswered: (list) => `You have not answered ${list.length === 1 ? "question" : "questions"} ${list.join(", ")} yet. Your other answers are kept.`,
    passed: (right, of) => `You passed: ${right} of ${of} right. Read the explanations if you like, then finish the course.`,
    again: (right, of, need) => `${right} of ${of} right; you need ${need}. Nothing is lost. Read the explanations below, then try again.`,
    unconnected: "Your progress is not being saved, because this course was opened outside the learning system. You can still read it.",
    unsaved: "Your progress could not be saved just now. Nothing on this page is lost. It is saved with your next step.",
  };

  const byId = (id) => document.getElementById(id);
  const body = document.body;
  const courseTitle = document.title;
  const passMark = Number(body.dataset.pass);
  const pages = [...document.querySelectorAll(".page")];
  const ids = pages.map((page) => page.dataset.page);
  const lessonIds = ids.filter((id) => id !== "quiz" && id !== "complete");
  const questions = [...document.querySelectorAll(".question")];
  const checks = [...document.querySelectorAll(".check")];

  const state = { seen: new Set(), checks: {}, quiz: {}, graded: false, tries: 0, score: null };
  let current = "";
  let recording = false;

  const passed = () => state.score !== null && state.score >= passMark;
  const unread = () => lessonIds.filter((id) => !state.seen.has(id));

  // --- what the learning system keeps ---

  // suspend_data holds 4,096 characters at least (RTE 3.4.4): short keys, and letters instead of objects for the quiz.
  function pack() {
    return JSON.stringify({
      v: 1,
      s: [...state.seen],
      c: state.checks,
      q: questions.map((q) => state.quiz[q.dataset.question] || "-").join(""),
      g: state.graded ? 1 : 0,
      t: state.tries,
      p: state.score,
    });
  }

  function unpack(text) {
    let kept;
    try {
      kept = JSON.parse(text);
    } catch {
      return;
    }
    if (!kept || kept.v !== 1) return;
    kept.s.filter((id) => ids.includes(id)).forEach((id) => state.seen.add(id));
    Object.assign(state.checks, kept.c);
    [...kept.q].forEach((letter, i) => {
      if (letter !== "-" && questions[i]) state.quiz[questions[i].dataset.question] = letter;
    });
    state.graded = kept.g === 1;
    state.tries = kept.t;
    state.score = kept.p;
  }

  function keep() {
    if (recording) scorm.set("cmi.suspend_data", pack());
  }

  function save() {
    if (!recording) return;
    scorm.set("cmi.core.lesson_location", current);
    keep();
    say(scorm.save() ? "" : words.unsaved);
  }

  function say(text) {
    if (byId("notice").textContent !== text) byId("notice").textContent = text;
  }

  // --- pages ---

  function show(id, focus) {
    const index = ids.indexOf(id);
    current = id;
    state.seen.add(id);
    pages.forEach((page) => { page.hidden = page.dataset.page !== id; });
    byId("place").textContent = words.place(index + 1, ids.length);
    byId("progress").value = index + 1;
    byId("previous").hidden = index === 0;
    byId("next").hidden = lessonIds.indexOf(id) === lessonIds.length - 1 || !lessonIds.includes(id);
    byId("start-quiz").hidden = lessonIds.indexOf(id) !== lessonIds.length - 1;
    const heading = byId(`heading-${id}`);
    document.title = `${heading.textContent} – ${courseTitle}`;
    showContents();
    showQuiz();
    showResult();
    if (focus) {
      window.scrollTo(0, 0);
      heading.focus({ preventScroll: true });
    }
  }

  function go(id) {
    show(id, true);
    save();
  }

  const turn = (by) => go(ids[ids.indexOf(current) + by]);

  function showContents() {
    document.querySelectorAll("[data-go]").forEach((link) => {
      const id = link.dataset.go;
      if (id === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      const read = lessonIds.includes(id) && state.seen.has(id);
      link.classList.toggle("seen", read);
      let note = link.querySelector(".for-readers");
      if (read && !note) {
        note = document.createElement("span");
        note.className = "for-readers";
        note.textContent = ` ${words.seen}`;
        link.append(note);
      }
    });
  }

  // --- knowledge checks ---

  function chosen(form, name) {
    const input = form.querySelector(`input[name="${name}"]:checked`);
    return input ? input.value : "";
  }

  function judge(container, right, answer) {
    const good = answer === right;
    const best = container.querySelector(`input[value="${right}"]`).closest(".option").textContent.trim();
    container.classList.toggle("good", good);
    container.classList.toggle("bad", !good);
    container.querySelector(".verdict").textContent = good ? words.right : words.wrong(best);
    container.querySelector(".why").hidden = false;
  }

  function unjudge(container) {
    container.classList.remove("good", "bad");
    container.querySelector(".verdict").textContent = "";
    container.querySelector(".why").hidden = true;
  }

  function restoreCheck(form) {
    const id = form.dataset.check;
    unjudge(form);
    const input = form.querySelector(`input[value="${state.checks[id] || ""}"]`);
    if (!input) return;
    input.checked = true;
    judge(form, form.dataset.right, input.value);
  }

  checks.forEach((form) => {
    const id = form.dataset.check;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const answer = chosen(form, id);
      if (!answer) {
        form.querySelector(".verdict").textContent = words.choose;
        return;
      }
      state.checks[id] = answer;
      judge(form, form.dataset.right, answer);
      save();
    });
    form.addEventListener("change", () => unjudge(form));
  });

  // --- the quiz ---

  function showQuiz() {
    const missing = unread();
    const shut = missing.length > 0 && !passed();
    byId("unread").hidden = !shut;
    byId("quiz").hidden = shut;
    byId("unread-pages").replaceChildren(...missing.map((id) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `#page-${id}`;
      link.dataset.go = id;
      link.textContent = byId(`heading-${id}`).textContent;
      item.append(link);
      return item;
    }));
    questions.forEach((question) => {
      const answer = state.quiz[question.dataset.question];
      question.querySelectorAll("input").forEach((input) => {
        input.checked = input.value === answer;
        input.disabled = state.graded;
      });
      if (state.graded) judge(question, question.dataset.right, answer);
      else unjudge(question);
    });
    const right = questions.filter((q) => state.quiz[q.dataset.question] === q.dataset.right).length;
    const need = Math.ceil((questions.length * passMark) / 100);
    byId("check-answers").hidden = state.graded;
    byId("try-again").hidden = !state.graded || passed();
    byId("finish").hidden = !state.graded || !passed();
    byId("result").className = `result ${state.graded ? (passed() ? "good" : "bad") : ""}`;
    byId("result").textContent = !state.graded ? "" : (passed() ? words.passed : words.again)(right, questions.length, need);
  }

  function showResult() {
    byId("complete").hidden = !passed();
    byId("not-complete").hidden = passed();
    byId("score").textContent = String(state.score);
  }

  // A retry adds interactions and leaves the earlier ones as they are (RTE 3.4.4, cmi.interactions is a journal).
  function recordAnswers() {
    const first = Number(scorm.get("cmi.interactions._count")) || 0;
    const time = new Date().toTimeString().slice(0, 8);
    questions.forEach((question, i) => {
      const { question: id, right } = question.dataset;
      const at = `cmi.interactions.${first + i}`;
      const answer = state.quiz[id];
      scorm.set(`${at}.id`, `${body.dataset.course}-${id}`);
      scorm.set(`${at}.type`, "choice");
      scorm.set(`${at}.time`, time);
      scorm.set(`${at}.correct_responses.0.pattern`, right);
      scorm.set(`${at}.weighting`, "1");
      scorm.set(`${at}.student_response`, answer);
      scorm.set(`${at}.result`, answer === right ? "correct" : "wrong");
    });
  }

  function grade() {
    const open = questions.filter((q) => !state.quiz[q.dataset.question]);
    if (open.length > 0) {
      byId("result").className = "result bad";
      byId("result").textContent = words.unanswered(open.map((q) => questions.indexOf(q) + 1));
      byId("result").focus();
      return;
    }
    const right = questions.filter((q) => state.quiz[q.dataset.question] === q.dataset.right).length;
    state.graded = true;
    state.tries++;
    state.score = Math.round((right * 100) / questions.length);
    if (recording) {
      recordAnswers();
      scorm.set("cmi.core.score.min", 0);
      scorm.set("cmi.core.score.max", 100);
      scorm.set("cmi.core.score.raw", state.score);
      // A try below the mark is not a failure: the lesson stays open.
      scorm.set("cmi.core.lesson_status", passed() ? "passed" : "incomplete");
    }
    showQuiz();
    showResult();
    save();
    byId("result").focus();
  }

  byId("quiz").addEventListener("change", (event) => {
    state.quiz[event.target.name] = event.target.value;
    keep();
  });
  byId("quiz").addEventListener("submit", (event) => {
    event.preventDefault();
    grade();
  });
  byId("try-again").addEventListener("click", () => {
    state.graded = false;
    state.quiz = {};
    go("quiz");
  });

  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("start-quiz").addEventListener("click", () => go("quiz"));
  byId("finish").addEventListener("click", () => go("complete"));
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-go]");
    if (!link) return;
    event.preventDefault();
    if (!wide.matches) byId("contents").open = false;
    go(link.dataset.go);
  });

  // --- opening and leaving ---

  const wide = window.matchMedia("(min-width: 64em)");
  byId("contents").open = wide.matches;

  const connected = scorm.connect();
  // A review or a look around is read only (RTE 3.4.4, cmi.core.lesson_mode).
  recording = connected && !["review", "browse"].includes(scorm.get("cmi.core.lesson_mode"));
  unpack(scorm.get("cmi.suspend_data"));
  checks.forEach(restoreCheck);
  if (recording && !["passed", "completed"].includes(scorm.get("cmi.core.lesson_status"))) {
    scorm.set("cmi.core.lesson_status", passed() ? "passed" : "incomplete");
  }
  const bookmark = scorm.get("cmi.core.lesson_location");
  document.documentElement.classList.add("live");
  show(ids.includes(bookmark) ? bookmark : ids[0], false);
  save();
  if (!connected) say(words.unconnected);

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") save();
  });
  window.addEventListener("pagehide", () => scorm.finish());
  // A page from the back-forward cache has already ended its session: begin a new one.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });
})();
