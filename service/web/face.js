// The face to animate, where the portrait shows several: the largest, the one at a point, or by number.

const find = (id) => document.getElementById(id);
const picture = find("portrait-preview");
const number = find("face-number");
const marker = find("marker");

// `face` is what the service takes: "largest", a number from the left, or a point "x,y" in pixels.
function choose(face, place = null) {
  find("form").face.value = face;
  if (!/^\d+$/.test(face)) number.value = "";
  marker.hidden = !place;
  if (place) [marker.style.left, marker.style.top] = place.map((share) => `${100 * share}%`);
  find("largest").hidden = face === "largest";
}

// Where the picture was clicked; as browsers show it, it is upright.
function chooseAt({ clientX, clientY }) {
  const box = picture.getBoundingClientRect();
  const place = [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  const sides = [picture.naturalWidth, picture.naturalHeight];
  choose(place.map((share, axis) => Math.min(sides[axis] - 1, Math.floor(share * sides[axis]))).join(), place);
}

export function offerFaces() {
  find("form").portrait.addEventListener("change", ({ target }) => {
    choose("largest");
    find("faces").hidden = !target.files.length;
  });
  picture.addEventListener("click", chooseAt);
  number.addEventListener("input", () => choose(number.checkValidity() && number.value ? number.value : "largest"));
  find("largest").addEventListener("click", () => {
    choose("largest");
    number.focus();
  });
  find("choose-face").addEventListener("click", () => (find("faces").hidden ? find("form").portrait : number).focus());
}
