// The caller's latest videos, and above them those that the address names: side by side, in step.

import { language, t } from "/web/i18n.js";
import { ask, isPassing } from "/web/jobs.js";
import { addressOf } from "/web/key.js";
import { progressOf } from "/web/view.js";

const LATEST = 24;
const POLL = 2000;
const TOLERANCE = 0.2;
const find = (id) => document.getElementById(id);
const element = (name, properties) => Object.assign(document.createElement(name), properties);
const entries = new Map();
const addresses = new Map();
let next = 0;

// The address of several videos has commas.
export const isSeveral = () => location.hash.includes(",");
export const named = () => location.hash.slice(1).split(",").filter((id) => id.startsWith("job_"));

// Lists the videos, again and again while one of them is made. An entry stays, so that it can play.
// `onChange` forgets a deleted video, and makes one again.
export async function refresh(onChange) {
  clearTimeout(next);
  const page = await ask(`/v1/jobs?limit=${LATEST}`, { quiet: true }).catch((problem) => problem);
  if (isSeveral() && isPassing(page)) next = setTimeout(() => refresh(onChange), POLL);
  if (!page.jobs) return; // without a key, or without a service, there is no history
  const ids = named();
  const beside = isSeveral() ? ids.flatMap((id) => page.jobs.filter((job) => job.id === id)) : [];
  const others = page.jobs.filter((job) => !beside.includes(job));
  await place("cells", beside, onChange);
  place("jobs", others, onChange);
  find("history").hidden = !others.length;
  const ready = beside.filter((job) => job.links.video).length;
  find("play").hidden = !ready;
  find("ready").textContent = t("ready", { count: ready, total: ids.length });
  clearTimeout(next);
  if (page.jobs.some((job) => job.links.cancel)) next = setTimeout(() => refresh(onChange), POLL);
}

function place(id, jobs, onChange) {
  const list = find(id);
  const items = jobs.map((job) => {
    if (!entries.has(job.id)) entries.set(job.id, entry(job, onChange));
    return entries.get(job.id).item;
  });
  for (const item of [...list.children]) if (!items.includes(item)) item.remove();
  items.forEach((item, index) => {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  return Promise.all(jobs.map((job) => describe(job, id === "cells")));
}

function entry(job, onChange) {
  const item = element("li", {});
  const video = element("video", { playsInline: true, preload: "none" });
  const open = element("a", { href: `#${job.id}` });
  const state = element("p", { className: "hint" });
  const button = element("button", { type: "button", className: "quiet" });
  const known = { item, video, open, state, button, job };
  button.addEventListener("click", async () => {
    button.disabled = true;
    await press(known, onChange).catch((problem) => (state.textContent = problem.message));
    button.disabled = false;
  });
  const about = element("div", {});
  about.append(open, state, button);
  item.append(video, about);
  return known;
}

// Deletes a video of the list. Of those beside each other, cancels what is made and makes again what failed.
async function press({ job, action }, onChange) {
  let focused = find("history-title");
  if (action === "retry") {
    const id = await onChange.remake(job);
    await refresh(onChange);
    focused = entries.get(id).open;
  } else if (action === "cancel") {
    await ask(job.links.cancel, { method: "POST" });
    focused = entries.get(job.id).open;
  } else {
    await ask(job.links.self, { method: "DELETE" });
    onChange.forget(job.id);
  }
  await refresh(onChange);
  focused.focus();
}

// What the button of a video does; null if nothing.
function actionOf(job, isBeside) {
  if (!isBeside) return "delete";
  if (job.links.cancel) return "cancel";
  return job.status === "succeeded" || !find("form").portrait.files.length ? null : "retry";
}

async function describe(job, isBeside) {
  const known = entries.get(job.id);
  const { video, open, state, button } = known;
  const time = new Intl.DateTimeFormat(language, { dateStyle: "short", timeStyle: "short" });
  const made = `${t(job.options.emotion)} · ${time.format(new Date(job.created_at))}`;
  open.textContent = isBeside ? t(job.options.emotion) : made;
  const facts = [job.status === "succeeded" ? "" : job.links.cancel ? progressOf(job) : (job.failure?.message ?? t(job.status))];
  if (job.expires_at && !isBeside) facts.push(t("expires", { date: time.format(new Date(job.expires_at)) }));
  state.textContent = facts.filter(Boolean).join(" · ");
  const action = actionOf(job, isBeside);
  Object.assign(known, { job, action });
  button.hidden = !action;
  if (action) Object.assign(button, { textContent: t(action), ariaLabel: `${t(action)}: ${made}` });
  if (isBeside && !video.poster) video.poster = find("portrait-preview").src;
  if (job.links.poster) load(video, "poster", job.links.poster);
  if (job.links.video && isBeside) await load(video, "src", job.links.video);
}

// Two refreshes may be under way at once. A second address of a file would stop a video that plays.
async function load(video, name, path) {
  if (!addresses.has(path)) addresses.set(path, addressOf(`${path}?redirect=false`));
  const address = await addresses.get(path).catch((lost) => addresses.delete(path) && Promise.reject(lost));
  if (video.getAttribute(name) !== address) video[name] = address;
}

// Plays from the start, or pauses. The first has the sound; the others follow it.
function play() {
  const videos = [...find("cells").querySelectorAll("video[src]")];
  const [first, ...others] = videos;
  const isPlaying = !first.paused;
  for (const each of videos) {
    each.muted = each !== first;
    if (isPlaying) each.pause();
    else {
      each.currentTime = 0;
      each.play().catch(() => {});
    }
  }
  first.ontimeupdate = () => {
    for (const each of others)
      if (Math.abs(each.currentTime - first.currentTime) > TOLERANCE) each.currentTime = first.currentTime;
  };
}

find("play").addEventListener("click", play);
