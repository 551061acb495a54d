// What is known before anything is sent: the service's limits, and what it finds in the files.

import { chosenFace, offerFaces, showChoice, showFaces } from "/web/face.js";
import { language, t } from "/web/i18n.js";
import { ask, problemOf } from "/web/jobs.js";

const MEGABYTE = 1e6;
const find = (id) => document.getElementById(id);
const form = find("form");
const checked = {};
let limits = {};
let asking = {};

const amount = (value, unit, unitDisplay) =>
  new Intl.NumberFormat(`${language}-u-nu-latn`, { style: "unit", unit, unitDisplay, maximumFractionDigits: 1 }).format(value);
const length = (seconds) => (seconds < 60 ? amount(seconds, "second", "long") : amount(seconds / 60, "minute", "long"));
const size = (bytes) => amount(bytes / MEGABYTE, "megabyte", "short");

const WORDS = {
  portrait: ({ faces }) => (faces ? t(faces.length > 1 ? "faces_found" : "face_found", { count: faces.length }) : ""),
  audio: ({ duration }) => t("speech_length", { length: length(duration) }),
};

export async function learnLimits() {
  limits = await ask("/limits").catch(() => ({}));
  for (const [name, { media_types, suffixes }] of Object.entries(limits)) form[name].accept = [...media_types, ...suffixes];
}

export const offerChoice = () => offerFaces(() => say("portrait"));

// Writes what depends on the language.
export function describeFiles() {
  for (const [name, { formats, max_bytes, max_seconds }] of Object.entries(limits))
    find(`${name}-note`).textContent = t("accepted", {
      formats: new Intl.ListFormat(language, { type: "disjunction" }).format(formats),
      limit: max_seconds ? length(max_seconds) : size(max_bytes),
    });
  showChoice();
  say("audio");
}

// Checks a file that was chosen: in the browser what it can see, then by the service. `refuse` hears
// of the former; nothing keeps the file from being sent.
export async function check(name, file, element, refuse) {
  stop(name);
  delete checked[name];
  refuse("");
  say("portrait");
  say("audio");
  if (!file) return;
  const tooMuch = (amount, limit) => refuse(t("too_much", { name: file.name, amount, limit }), form[name]);
  const { max_bytes, max_seconds } = limits[name] ?? {};
  if (name === "audio")
    element.onloadedmetadata = () => {
      if (Number.isFinite(element.duration) && element.duration > max_seconds)
        tooMuch(length(element.duration), length(max_seconds));
    };
  if (file.size > max_bytes) return tooMuch(size(file.size), size(max_bytes));
  const body = new FormData();
  body.append(name, file);
  asking[name] = new AbortController();
  const { signal } = asking[name];
  const answer = await ask("/v1/checks", { method: "POST", body, signal, quiet: true }).catch(() => null);
  const isShown = name === "audio" || (await element.decode().then(() => true, () => false));
  if (signal.aborted) return;
  checked[name] = answer?.[name] ?? null; // without an answer, the job will find it
  if (name === "portrait") showFaces(checked.portrait);
  else say(name);
  // Few browsers can show what iPhones take; the service reads it.
  if (!isShown && !answer && !/\.hei[cf]$/i.test(file.name)) refuse(t("not_a_picture", { name: file.name }), form[name]);
}

// The upload of a job has the line for itself.
export function stop(...names) {
  for (const name of names) asking[name]?.abort();
}

function say(name) {
  const found = checked[name];
  const refusal = (name === "portrait" && chosenFace()) ? chosenFace().refusal : found?.refusal;
  const line = find(`${name}-found`);
  line.textContent = refusal ? problemOf({ code: refusal.code, detail: refusal.message }).message : found ? facts(name, found) : "";
  line.classList.toggle("note", Boolean(refusal));
  form[name].ariaInvalid = String(Boolean(refusal));
}

const facts = (name, found) =>
  [WORDS[name](found), ...found.notices.filter((code) => code !== "several_faces").map((code) => t(code))].join(" ");
