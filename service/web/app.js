// Submits the form as a job, shows the job that the address names, and lists earlier ones.

import { check, describeFiles, learnLimits, offerChoice, stop } from "/web/check.js";
import { EMOTIONS, offer } from "/web/emotions.js";
import { isSeveral, named, refresh } from "/web/history.js";
import { language, speak, t } from "/web/i18n.js";
import { setUp } from "/web/inputs.js";
import { Problem, ask, isPassing, problemOf, upload } from "/web/jobs.js";
import { askForKey, hasKey } from "/web/key.js";
import * as view from "/web/view.js";

const find = (id) => document.getElementById(id);
const form = find("form");
let uploading = null;
let attempt = { key: null, send: null };

const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function refuse(message, input = null) {
  find("refused").textContent = message;
  find("refused").hidden = !message;
  for (const each of [form.portrait, form.audio]) each.removeAttribute("aria-invalid");
  if (!input) return;
  input.setAttribute("aria-invalid", "true");
  input.focus();
}

async function submit(event) {
  event.preventDefault();
  refuse("");
  stop("portrait", "audio");
  if (event.submitter === find("all")) return sendSeveral(EMOTIONS);
  await send(new FormData(form));
}

// Each click is one request, however often it has to be sent.
async function send(data) {
  attempt = { key: newKey(), send: () => deliver(data) };
  await attempt.send();
}

async function deliver(data) {
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  const before = view.current();
  let job = null;
  uploading = view.begin(data.get("portrait").size ? URL.createObjectURL(data.get("portrait")) : "");
  view.showUpload(0);
  find("job").scrollIntoView({ block: "start" });
  find("job").focus({ preventScroll: true });
  try {
    await ask("/v1/jobs?limit=1"); // asks for the API key before anything is uploaded
    find("change-key").hidden = !hasKey();
    job = await upload(data, attempt.key, view.showUpload, uploading.signal);
    uploading = null;
    find("again").hidden = false;
    history.pushState(null, "", `#${job.id}`);
    button.disabled = false;
    refresh(onChange);
    const { failure } = await view.show(job, find("video").poster);
    if (failure && before?.emotion) await giveBack(before, problemOf({ detail: failure.message, ...failure }));
    refresh(onChange);
  } catch (error) {
    if (error.name === "AbortError") return;
    await giveBack(before, error);
    find("retry").hidden = job !== null || !isPassing(error);
    mark(error.code);
    if (!(error instanceof Problem)) throw error;
  } finally {
    uploading = null;
    button.disabled = false;
  }
}

// The earlier video stays when a new one fails.
async function giveBack(before, problem) {
  if (before?.emotion) {
    history.replaceState(null, "", `#${before.id}`);
    await view.show(before);
  }
  view.showProblem(problem);
}

// Leads to the field that the service refused.
function mark(code) {
  if (/^portrait|no_face/.test(code)) refuse(find("problem").textContent, form.portrait);
  if (/^(audio|no_audio)/.test(code)) refuse(find("problem").textContent, form.audio);
}

// Shows the job in the address: after a click, a reload, or the back button.
async function openAddress() {
  const [id] = named();
  if (view.current()?.id === id && !isSeveral()) return;
  view.begin();
  find("job").hidden = find("stopped").hidden = true;
  find("beside").hidden = !isSeveral();
  refresh(onChange);
  if (!id || isSeveral()) return;
  find("again").hidden = true;
  try {
    const job = await ask(`/v1/jobs/${id}`);
    find("job").hidden = false;
    find("job").focus();
    await view.show(job);
    refresh(onChange);
  } catch (error) {
    if (error.name === "AbortError") return;
    view.begin();
    find("stage").textContent = "";
    view.showProblem(error);
  }
}

function forget(id) {
  if (view.current()?.id !== id) return;
  view.begin();
  history.replaceState(null, "", location.pathname);
  find("job").hidden = true;
}

// Makes one of several videos again, in its place.
async function remake(job) {
  const data = new FormData(form);
  data.set("emotion", job.options.emotion);
  const { id } = await upload(data, newKey(), () => {}, new AbortController().signal);
  history.replaceState(null, "", location.hash.replace(job.id, id));
  return id;
}

const onChange = { forget, remake };

async function again() {
  const chosen = find("again-emotion").value;
  await (chosen === "all" ? sendSeveral(EMOTIONS) : sendSeveral([chosen], [view.current().id]));
}

// Sends the form once for each emotion, and shows these videos beside each other, and others. Stops at
// the first refusal; what was accepted is made.
async function sendSeveral(emotions, ids = []) {
  const data = new FormData(form);
  history.pushState(null, "", `#${ids},`);
  openAddress();
  find("beside").scrollIntoView({ block: "start" });
  find("beside").focus({ preventScroll: true });
  find("all").disabled = true;
  try {
    await ask("/v1/jobs?limit=1");
    for (const emotion of emotions) {
      data.set("emotion", emotion);
      ids.push((await upload(data, newKey(), () => {}, new AbortController().signal)).id);
      history.replaceState(null, "", `#${ids},`);
      refresh(onChange);
    }
  } catch (error) {
    find("stopped").textContent = error.message;
    find("stopped").hidden = false;
  }
  find("all").disabled = false;
}

async function cancel() {
  if (uploading) return uploading.abort();
  try {
    await ask(view.current().links.cancel, { method: "POST" });
  } catch (error) {
    view.showProblem(error);
  }
}

// Shares the signed address of the video, or copies it.
async function share() {
  const url = view.current().video_url;
  if (navigator.share) return navigator.share({ title: t("title"), url });
  await navigator.clipboard.writeText(url);
  find("share").textContent = t("copied");
}

async function changeLanguage(chosen) {
  await speak(chosen);
  find("language").value = language;
  offer(find("emotions"));
  for (const image of document.querySelectorAll("[data-alt]")) image.alt = t(image.dataset.alt);
  describeFiles();
  view.describe();
}

form.addEventListener("submit", submit);
form.intensity.addEventListener("input", () => {
  find("intensity-value").value = Number(form.intensity.value).toFixed(1);
});
find("cancel").addEventListener("click", cancel);
find("retry").addEventListener("click", () => attempt.send());
find("again-go").addEventListener("click", again);
find("share").addEventListener("click", () => share().catch(() => {}));
find("language").addEventListener("change", ({ target }) => changeLanguage(target.value).then(() => refresh(onChange)));
find("change-key").addEventListener("click", () => askForKey().then((given) => given && refresh(onChange)));
window.addEventListener("hashchange", openAddress);
window.addEventListener("popstate", openAddress);

offerChoice();
const known = learnLimits();
await changeLanguage();
await known;
describeFiles();
setUp((...file) => check(...file, refuse), refuse);
form.classList.add("ready");
find("change-key").hidden = !hasKey();
openAddress();
refresh(onChange);
