// The emotions: to choose from, as bars, and over time as a band under the video.

import { t } from "/web/i18n.js";

export const EMOTIONS = ["neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise", "contempt"];
const COLOURS = ["#8d8a99", "#e0a100", "#3d7dd8", "#d23b2a", "#8a4fc4", "#4f8f3a", "#e06fa8", "#2a9a96"];

const element = (name, properties) => Object.assign(document.createElement(name), properties);

// Fills a box with a radio button for each, with a picture of what it looks like.
export function offer(box) {
  const chosen = box.querySelector(":checked")?.value ?? "auto";
  box.replaceChildren(...["auto", ...EMOTIONS].map((emotion, index) => {
    const label = element("label", { className: "emotion" });
    const input = element("input", { type: "radio", name: "emotion", value: emotion, checked: emotion === chosen });
    const face = element("span", { className: "face" });
    face.style.setProperty("--place", index - 1);
    if (emotion === "auto") face.classList.add("any");
    label.append(input, face, element("span", { textContent: t(emotion) }));
    return label;
  }));
}

export const options = () => EMOTIONS.map((emotion) => new Option(t(emotion), emotion));

const colour = (name) => COLOURS[EMOTIONS.indexOf(name)];

// What was heard in the whole, with its colours in the band.
export const legend = (probabilities) =>
  Object.entries(probabilities).filter(([, share]) => share > 0.05).sort((a, b) => b[1] - a[1]).map(([name, share]) => {
    const entry = element("li", { textContent: `${t(name)} ${Math.round(100 * share)} %` });
    entry.style.setProperty("--colour", colour(name));
    return entry;
  });

// Draws what was heard in each frame: `[T, 8]` probabilities, stacked. A click on it seeks.
export function drawBand(canvas, track, video) {
  const { emotions, emotion_names: names } = track;
  canvas.width = emotions.length;
  const context = canvas.getContext("2d");
  emotions.forEach((frame, x) => {
    let y = canvas.height;
    frame.forEach((probability, index) => {
      const height = probability * canvas.height;
      context.fillStyle = colour(names[index]);
      context.fillRect(x, y - height, 1, height + 1);
      y -= height;
    });
  });
  canvas.onclick = (event) => {
    const box = canvas.getBoundingClientRect();
    video.currentTime = ((event.clientX - box.left) / box.width) * video.duration;
  };
}

export function clearBand(canvas) {
  canvas.width = 1;
  canvas.onclick = null;
}

// Draws the landmarks of the shown frame over the video for as long as `isWanted` says.
export function drawPoints(canvas, track, video, isWanted) {
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d");
  const draw = () => {
    canvas.hidden = !isWanted();
    if (canvas.hidden) return;
    const frame = Math.min(track.landmarks.length - 1, Math.round(video.currentTime * track.frame_rate));
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "#7df9ff";
    for (const [x, y] of track.landmarks[frame]) context.fillRect(x - 1.5, y - 1.5, 3, 3);
    requestAnimationFrame(draw);
  };
  draw();
}
