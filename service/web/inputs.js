// Both inputs of the form: chosen, dropped, pasted, taken from an example, filmed or recorded.

import { t } from "/web/i18n.js";

const PORTRAITS = ["ada", "sam", "zoe"];
const CLIPS = ["hello", "morning", "whole"];
const LEVEL_GAIN = 4;

const find = (id) => document.getElementById(id);
const form = find("form");

export function setUp(onChange, onProblem) {
  offer("portraits", PORTRAITS, "portrait", (name) => `/web/examples/${name}.jpg`, picture);
  offer("clips", CLIPS, "audio", (name) => `/web/examples/${name}.m4a`, sound);
  preview("portrait", find("portrait-preview"), onChange);
  preview("audio", find("audio-preview"), onChange);
  takeDrops(onProblem);
  find("camera").addEventListener("click", () => camera().catch(refuse(onProblem)));
  find("record").addEventListener("click", () => record().catch(refuse(onProblem)));
}

const refuse = (onProblem) => (error) => onProblem(t("no_device", { reason: error.message }));

function offer(id, names, input, path, content) {
  find(id).replaceChildren(...names.map((name) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    content(button, name, path(name));
    button.setAttribute("aria-pressed", "false");
    form[input].addEventListener("change", () => {
      button.setAttribute("aria-pressed", String(form[input].files[0]?.name === path(name).split("/").pop()));
    });
    button.addEventListener("click", async () => {
      const blob = await (await fetch(path(name))).blob();
      choose(input, new File([blob], path(name).split("/").pop(), { type: blob.type }));
    });
    return button;
  }));
}

function picture(button, name, src) {
  const image = Object.assign(new Image(72, 72), { src, alt: t(name) });
  image.dataset.alt = name;
  button.append(image);
}

function sound(button, name) {
  button.dataset.t = name;
  button.textContent = t(name);
}

// Puts a file into an input, as if the user had chosen it.
export function choose(name, file) {
  const files = new DataTransfer();
  files.items.add(file);
  form[name].files = files.files;
  form[name].dispatchEvent(new Event("change"));
}

function preview(name, element, onChange) {
  const input = form[name];
  input.addEventListener("change", () => {
    URL.revokeObjectURL(element.src);
    const [file] = input.files;
    element.hidden = !file;
    if (file) element.src = URL.createObjectURL(file);
    input.closest(".drop").classList.toggle("filled", Boolean(file));
    onChange(name, file, element);
  });
}

// Files may be dropped anywhere on the page, one or both, or pasted; each goes where it belongs.
function takeDrops(onProblem) {
  for (const type of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(type, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      document.body.classList.toggle("over", type === "dragover");
      if (type === "drop") sort(event.dataTransfer.files, onProblem);
    });
  }
  document.addEventListener("paste", (event) => sort(event.clipboardData.files, onProblem));
}

function sort(files, onProblem) {
  for (const file of files) {
    if (file.type.startsWith("image/")) choose("portrait", file);
    else if (/^(audio|video)\//.test(file.type)) choose("audio", file);
    else onProblem(t("wrong_kind", { name: file.name }));
  }
}

// The first click shows the camera, the second takes the picture.
async function camera() {
  const finder = find("viewfinder");
  if (!finder.srcObject) {
    finder.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 960 } });
    finder.hidden = false;
    return label("camera", "shoot");
  }
  const canvas = Object.assign(document.createElement("canvas"), {
    width: finder.videoWidth, height: finder.videoHeight,
  });
  canvas.getContext("2d").drawImage(finder, 0, 0);
  stop(finder.srcObject);
  finder.srcObject = null;
  finder.hidden = true;
  label("camera", "camera");
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  choose("portrait", new File([blob], "camera.jpg", { type: blob.type }));
}

let recorder = null;

// The first click begins, the second ends; the level shows that something is heard.
async function record() {
  if (recorder) return recorder.stop();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const pieces = [];
  recorder = new MediaRecorder(stream);
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  recorder.addEventListener("stop", () => {
    stop(stream);
    find("level").hidden = true;
    const type = recorder.mimeType.split(";")[0];
    recorder = null;
    label("record", "record_again");
    choose("audio", new File(pieces, `recording.${type.split("/")[1]}`, { type }));
  });
  recorder.start();
  label("record", "stop");
  showLevel(stream);
}

function showLevel(stream) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  find("level").hidden = false;
  const draw = () => {
    if (!recorder) return context.close();
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, each) => sum + each * each, 0) / samples.length;
    find("level").value = Math.min(1, LEVEL_GAIN * Math.sqrt(power));
    requestAnimationFrame(draw);
  };
  draw();
}

const stop = (stream) => stream.getTracks().forEach((track) => track.stop());

function label(id, name) {
  find(id).dataset.t = name;
  find(id).textContent = t(name);
}
