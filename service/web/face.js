// The face to animate: one of those that the service found, or else a click on the picture or a number.

import { t } from "/web/i18n.js";

const find = (id) => document.getElementById(id);
const form = find("form");
const picture = find("portrait-preview");
const number = find("face-number");
const marker = find("marker");
const frames = find("frames");
let check = null;
let onChoice;

// The service's document of the chosen face, if it was found.
export const chosenFace = () => check?.faces[(Number(form.face.value) || check.speaker) - 1];

// Frames the faces of a checked portrait, in which the chosen one's crop stands out. If nobody looked for
// them, which is null, or the browser cannot show the picture, the visitor says which.
export function showFaces(portrait) {
  check = portrait?.faces?.length && picture.naturalWidth ? portrait : null;
  find("faces").hidden = portrait === undefined || check !== null || portrait?.faces?.length < 2;
  const faces = check?.faces ?? [];
  frames.replaceChildren(...faces.map(({ box }, index) => {
    const frame = document.createElement(faces.length > 1 ? "button" : "span");
    frame.type = "button";
    place(frame, box);
    frame.addEventListener("click", () => choose(String(index + 1)));
    return frame;
  }));
  showChoice();
}

function place(element, { left, top, width, height }) {
  const shares = { left: left / check.width, top: top / check.height, width: width / check.width, height: height / check.height };
  for (const [side, share] of Object.entries(shares)) element.style[side] = `${100 * share}%`;
}

export function showChoice() {
  const face = chosenFace();
  frames.querySelectorAll("button").forEach((frame, index) => {
    frame.ariaPressed = String(check.faces[index] === face);
    frame.ariaLabel = `${t("face")} ${index + 1}`;
  });
  find("cut").hidden = !face || face.refusal;
  if (face) place(find("cut"), face.crop);
  onChoice();
}

// `face` is what the service takes: "largest", a number from the left, or a point "x,y" in pixels.
function choose(face, spot = null) {
  form.face.value = face;
  if (!/^\d+$/.test(face)) number.value = "";
  marker.hidden = !spot;
  if (spot) [marker.style.left, marker.style.top] = spot.map((share) => `${100 * share}%`);
  find("largest").hidden = face === "largest";
  showChoice();
}

// Where the picture was clicked; as browsers show it, it is upright.
function chooseAt({ clientX, clientY }) {
  if (check) return;
  const box = picture.getBoundingClientRect();
  const spot = [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  const sides = [picture.naturalWidth, picture.naturalHeight];
  choose(spot.map((share, axis) => Math.min(sides[axis] - 1, Math.floor(share * sides[axis]))).join(), spot);
}

export function offerFaces(listener) {
  onChoice = listener;
  form.portrait.addEventListener("change", () => {
    choose("largest");
    showFaces();
  });
  picture.addEventListener("click", chooseAt);
  number.addEventListener("input", () => choose(number.checkValidity() && number.value ? number.value : "largest"));
  find("largest").addEventListener("click", () => {
    choose("largest");
    number.focus();
  });
  find("choose-face").addEventListener("click", () =>
    (frames.querySelector("button") ?? (find("faces").hidden ? form.portrait : number)).focus());
}
