// Submits the form as a job, shows the job that the address names, and lists earlier ones.

import { offer } from "/web/emotions.js";
import { offerFaces } from "/web/face.js";
import { refresh } from "/web/history.js";
import { language, speak, t } from "/web/i18n.js";
import { setUp } from "/web/inputs.js";
import { Problem, ask, upload } from "/web/jobs.js";
import { askForKey, hasKey } from "/web/key.js";
import * as view from "/web/view.js";

const MEGABYTE = 2 ** 20;
const LIMITS = { portrait: 20, audio: 50, seconds: 300 };

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

// What can be seen before anything is uploaded: size, length, and whether a picture opens.
function check(name, file, element) {
  refuse("");
  if (!file) return;
  const limit = LIMITS[name];
  if (file.size > limit * MEGABYTE)
    refuse(t("too_large", { name: file.name, size: Math.ceil(file.size / MEGABYTE), limit }), form[name]);
  if (name === "portrait")
    element.onerror = () => {
      // Few browsers can show what iPhones take; the service reads it.
      if (!/\.hei[cf]$/i.test(file.name)) refuse(t("not_a_picture", { name: file.name }), form.portrait);
    };
  else
    element.onloadedmetadata = () => {
      const seconds = element.duration;
      if (Number.isFinite(seconds) && seconds > LIMITS.seconds)
        refuse(t("too_long", { seconds: Math.round(seconds), limit: LIMITS.seconds }), form.audio);
    };
}

async function submit(event) {
  event.preventDefault();
  refuse("");
  view.setNothingAside();
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
    refresh(forget);
    await view.show(job, find("video").poster);
    refresh(forget);
  } catch (error) {
    if (error.name === "AbortError") return;
    view.showProblem(error);
    find("retry").hidden = job !== null || !["no_connection", "bad_answer"].includes(error.code);
    mark(error.code);
    if (!(error instanceof Problem)) throw error;
  } finally {
    uploading = null;
    button.disabled = false;
  }
}

// Leads to the field that the service refused.
function mark(code) {
  if (/^portrait|no_face/.test(code)) refuse(find("problem").textContent, form.portrait);
  if (/^(audio|no_audio)/.test(code)) refuse(find("problem").textContent, form.audio);
}

// Shows the job in the address: after a click, a reload, or the back button.
async function openAddress() {
  const id = location.hash.slice(1);
  if (!id.startsWith("job_")) return (find("job").hidden = true);
  if (view.current()?.id === id) return;
  view.setNothingAside();
  find("again").hidden = true;
  try {
    const job = await ask(`/v1/jobs/${id}`);
    find("job").hidden = false;
    find("job").focus();
    await view.show(job);
    refresh(forget);
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

async function again() {
  const data = new FormData(form);
  data.set("emotion", find("again-emotion").value);
  view.setAside();
  await send(data);
}

async function cancel() {
  if (uploading) return uploading.abort();
  try {
    await ask(view.current().links.cancel, { method: "POST" });
  } catch (error) {
    view.showProblem(error);
  }
}

async function copy() {
  await navigator.clipboard.writeText(location.href);
  find("copy").textContent = t("copied");
}

async function changeLanguage(chosen) {
  await speak(chosen);
  find("language").value = language;
  offer(find("emotions"));
  for (const image of document.querySelectorAll("[data-alt]")) image.alt = t(image.dataset.alt);
  view.describe();
}

form.addEventListener("submit", submit);
form.intensity.addEventListener("input", () => {
  find("intensity-value").value = Number(form.intensity.value).toFixed(1);
});
find("cancel").addEventListener("click", cancel);
find("retry").addEventListener("click", () => attempt.send());
find("again-go").addEventListener("click", again);
find("copy").addEventListener("click", () => copy().catch(() => {}));
find("language").addEventListener("change", ({ target }) => changeLanguage(target.value).then(() => refresh(forget)));
find("change-key").addEventListener("click", () => askForKey().then((given) => given && refresh(forget)));
window.addEventListener("hashchange", openAddress);
window.addEventListener("popstate", openAddress);

await changeLanguage();
setUp(check, refuse);
offerFaces();
find("change-key").hidden = !hasKey();
openAddress();
refresh(forget);
