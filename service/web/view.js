// Shows one job: its progress, its stream, its video, and what was heard in it.

import { clearBand, drawBand, drawPoints, legend, options } from "/web/emotions.js";
import { t } from "/web/i18n.js";
import { ask, follow, problemOf } from "/web/jobs.js";
import { addressOf } from "/web/key.js";
import { play } from "/web/stream.js";

const find = (id) => document.getElementById(id);
const video = find("video");
const MINUTE = 90;

let shown = null;
let watching = new AbortController();
let doneAt = null;
let track = null;

export const current = () => shown;

// The content security policy only allows the page's own origin: no redirects to the object store.
const ours = (path) => `${path}?redirect=false`;

// Empties the view for another job, and stops following the one before.
export function begin(poster = "") {
  watching.abort();
  watching = new AbortController();
  shown = track = doneAt = null;
  video.removeAttribute("src");
  video.load();
  video.poster = poster;
  for (const id of ["result", "problem", "retry", "points", "cancel", "choose-face"]) find(id).hidden = true;
  clearBand(find("band"));
  find("legend").replaceChildren();
  find("show-points").checked = false;
  say("");
  find("again-note").textContent = "";
  find("job").hidden = find("work").hidden = false;
  return watching;
}

export function showUpload(share) {
  find("progress").value = share;
  find("eta").textContent = "";
  find("cancel").hidden = false;
  say(t("uploading", { percent: Math.round(100 * share) }));
}

// Follows the job until it has ended, and shows its video. Returns the job as it ended.
export async function show(job, poster) {
  const { signal } = begin(poster ?? (job.links.poster ? await addressOf(ours(job.links.poster)) : ""));
  const onLost = (isLost) => (find("again-note").textContent = isLost ? t("connection_lost") : attemptNote(shown));
  const streaming = new AbortController();
  signal.addEventListener("abort", () => streaming.abort());
  let attempt = null;
  for await (job of follow(job, signal, onLost)) {
    if (signal.aborted) return job;
    shown = job;
    if (job.links.cancel) showWork(job);
    if (job.links.stream && job.stage === "rendering" && attempt !== job.attempt) {
      attempt = job.attempt;
      play(video, job.links.stream, streaming.signal).catch((error) => {
        if (!streaming.signal.aborted) console.info("The stream ended early.", error);
      });
    }
  }
  if (signal.aborted) return job;
  streaming.abort();
  find("work").hidden = true;
  document.title = t("title");
  if (job.status !== "succeeded") {
    say(t(job.status), true);
    if (job.failure) showProblem(problemOf({ code: job.failure.code, detail: job.failure.message }));
    return job;
  }
  await showResult(job);
  return job;
}

function showWork(job) {
  find("cancel").hidden = false;
  doneAt = job.eta_seconds == null ? null : performance.now() + 1000 * job.eta_seconds;
  showTimeLeft();
  say(progressOf(job));
  const bar = find("progress");
  find("again-note").textContent = attemptNote(job);
  if (job.status === "processing") {
    bar.value = job.progress;
    document.title = `${Math.round(100 * job.progress)} % · AMIGO`;
    announce(t(job.stage));
  } else {
    bar.removeAttribute("value");
    announce(t("waiting"));
  }
}

export const progressOf = (job) =>
  job.status === "processing"
    ? `${t(job.stage)} · ${Math.round(100 * job.progress)} %`
    : t("queued", { place: job.queue_position ?? "?" });

const attemptNote = (job) => (job?.attempt > 1 && job.links.cancel ? t("second_attempt", { count: job.attempt }) : "");

export function showTimeLeft() {
  if (doneAt === null) return (find("eta").textContent = "");
  const seconds = Math.round((doneAt - performance.now()) / 1000);
  if (seconds < -2) find("eta").textContent = t("longer");
  else if (seconds < MINUTE) find("eta").textContent = t("left_seconds", { count: Math.max(1, seconds) });
  else find("eta").textContent = t("left_minutes", { count: Math.round(seconds / 60) });
}

// Only what is announced is read out: a stage once, not each percent.
function announce(text) {
  if (find("announcement").textContent !== text) find("announcement").textContent = text;
}

function say(text, isEnd = false) {
  if (find("stage").textContent !== text) find("stage").textContent = text;
  if (isEnd) announce(text);
}

async function showResult(job) {
  say(t("succeeded"), true);
  await swapIn(await addressOf(ours(job.links.video)));
  video.poster = job.links.poster ? await addressOf(ours(job.links.poster)) : "";
  find("download").href = video.src;
  find("download").download = `${job.id}.mp4`;
  describe(job);
  find("result").hidden = false;
  if (!job.links.landmarks) return;
  const landmarks = await ask(ours(job.links.landmarks));
  if (shown !== job) return;
  track = landmarks;
  drawBand(find("band"), track, video);
  showPoints(); // if they were asked for before they were there
}

// Replaces the stream by the file where it stands.
async function swapIn(address) {
  const { currentTime, paused, ended } = video;
  const isPlaying = video.currentSrc && !paused && !ended;
  video.src = address;
  if (currentTime && !ended) video.currentTime = currentTime;
  if (isPlaying) video.play().catch(() => {});
}

// Writes what depends on the language.
export function describe(job = shown) {
  if (!job?.emotion) return;
  say(t("succeeded"));
  find("made").textContent = sentence(job);
  find("legend").replaceChildren(...legend(job.emotion.probabilities));
  find("notices").replaceChildren(...job.notices.map((code) =>
    Object.assign(document.createElement("li"), { textContent: t(code) })));
  find("choose-face").hidden = !job.notices.includes("several_faces");
  find("again-emotion").replaceChildren(new Option(t("all"), "all"), ...options());
}

function sentence({ emotion: { emotion, probabilities }, options: { emotion: made } }) {
  const values = { heard: t(emotion), percent: Math.round(100 * probabilities[emotion]), made: t(made) };
  return t(made === "auto" ? "made_as_heard" : "made_other", values);
}

export function showProblem(error) {
  find("job").hidden = false;
  find("work").hidden = true;
  find("problem").textContent = error.message;
  find("problem").hidden = false;
  find("choose-face").hidden = !/^face_/.test(error.code);
}

function showPoints() {
  if (track) drawPoints(find("points"), track, video, () => find("show-points").checked && !find("result").hidden);
}

find("show-points").addEventListener("change", showPoints);
setInterval(showTimeLeft, 1000);
