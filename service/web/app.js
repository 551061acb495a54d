// Submits the form as a job, follows the job, and shows its video.

import { Problem, ask, follow } from "/web/jobs.js";
import { addressOf } from "/web/key.js";

const STAGES = {
  fetching: "Fetching the files",
  listening: "Analyzing the speech",
  rendering: "Rendering the frames",
  storing: "Storing the video",
};

const NOTICES = {
  several_faces: "The portrait shows several faces. The largest one was used.",
  face_on_its_side: "The face lies on its side. If the portrait should be upright, rotate it first.",
  visible_mark: "The operator of this service marks every video as AI.",
};

const find = (id) => document.getElementById(id);
const form = find("form");
let cancelPath = null;
let doneAt = null;

function preview(input, element) {
  input.addEventListener("change", () => {
    URL.revokeObjectURL(element.src);
    const [file] = input.files;
    element.hidden = !file;
    if (file) element.src = URL.createObjectURL(file);
    input.closest(".drop").classList.toggle("filled", Boolean(file));
  });
}

function takeDrops(label) {
  const input = label.querySelector("input");
  for (const type of ["dragover", "dragleave", "drop"]) {
    label.addEventListener(type, (event) => {
      event.preventDefault();
      label.classList.toggle("over", type === "dragover");
      if (type === "drop" && event.dataTransfer.files.length) {
        input.files = event.dataTransfer.files;
        input.dispatchEvent(new Event("change"));
      }
    });
  }
}

function showWork(job) {
  find("work").hidden = false;
  cancelPath = job?.links.cancel ?? null;
  find("cancel").hidden = cancelPath === null;
  doneAt = job?.eta_seconds == null ? null : performance.now() + 1000 * job.eta_seconds;
  showTimeLeft();
  const bar = find("progress");
  if (job?.status === "processing") {
    const percent = Math.round(100 * job.progress);
    bar.value = job.progress;
    say(`${STAGES[job.stage]} · ${percent} %`);
  } else {
    bar.removeAttribute("value");
    say(job ? `Waiting, number ${job.queue_position ?? "?"} in the queue` : "Uploading the files");
  }
}

function showTimeLeft() {
  const seconds = Math.max(1, Math.round((doneAt - performance.now()) / 1000));
  const time = seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  find("eta").textContent = doneAt === null ? "" : `About ${time} left`;
}

function say(text) {
  if (find("stage").textContent !== text) find("stage").textContent = text;
}

async function showEnd(job) {
  find("work").hidden = true;
  if (job.status === "canceled") throw new Problem("Canceled.");
  if (job.status === "failed") throw new Problem(job.failure.message);
  URL.revokeObjectURL(find("video").src);
  find("video").src = find("download").href = await addressOf(ours(job.links.video));
  find("video").poster = job.links.poster ? await addressOf(ours(job.links.poster)) : "";
  find("download").download = `${job.id}.mp4`;
  find("heard").textContent = `Detected emotion: ${job.emotion.emotion}`;
  find("probabilities").replaceChildren(...Object.entries(job.emotion.probabilities).flatMap(bar));
  find("notices").replaceChildren(...job.notices.map(notice));
  find("result").hidden = false;
  find("result").focus();
}

// The content security policy only allows the page's own origin, so avoid redirects to the object store.
const ours = (path) => `${path}?redirect=false`;

function bar([emotion, probability]) {
  const meter = element("meter", { value: probability, textContent: probability.toFixed(2) });
  meter.setAttribute("aria-label", `${emotion}: ${Math.round(100 * probability)} percent`);
  const value = element("dd", {});
  value.append(meter);
  return [element("dt", { textContent: emotion }), value];
}

const notice = (code) => element("li", { textContent: NOTICES[code] ?? code });

const element = (name, properties) => Object.assign(document.createElement(name), properties);

function showProblem(error) {
  find("work").hidden = true;
  find("problem").textContent = error.message;
  find("problem").hidden = false;
}

async function submit(event) {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  find("problem").hidden = find("result").hidden = true;
  try {
    showWork(null);
    let job = await ask("/v1/jobs", { method: "POST", body: new FormData(form) });
    for await (job of follow(job)) if (job.links.cancel) showWork(job);
    await showEnd(job);
  } catch (error) {
    showProblem(error);
    if (!(error instanceof Problem)) throw error;
  } finally {
    button.disabled = false;
  }
}

preview(form.portrait, find("portrait-preview"));
preview(form.audio, find("audio-preview"));
document.querySelectorAll(".drop").forEach(takeDrops);
form.intensity.addEventListener("input", () => {
  find("intensity-value").value = Number(form.intensity.value).toFixed(1);
});
form.addEventListener("submit", submit);
setInterval(showTimeLeft, 1000);
find("cancel").addEventListener("click", () => {
  ask(cancelPath, { method: "POST" }).catch(showProblem);
});
