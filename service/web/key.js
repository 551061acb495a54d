// Asks for an API key if the service requires one, and stores it until the tab is closed.

const NAME = "amigo-key";
const dialog = document.getElementById("key-dialog");
const field = document.getElementById("key");

export const hasKey = () => Boolean(sessionStorage.getItem(NAME));

// Like fetch, with the API key. Returns the 401 response if the user cancels the dialog, or at once
// if `quiet`.
export async function fetchWithKey(path, { quiet, ...init } = {}) {
  for (;;) {
    const answer = await fetch(path, { ...init, headers: { ...init.headers, ...authorization() } });
    if (answer.status !== 401 || quiet) return answer;
    const { code, detail } = await answer.clone().json();
    if (!(await askForKey(code === "key_missing" ? "" : detail))) return answer;
  }
}

// Returns a URL that an element can load. Elements cannot send an API key.
export async function addressOf(path) {
  if (!hasKey()) return path;
  return URL.createObjectURL(await (await fetchWithKey(path)).blob());
}

export function authorization() {
  const key = sessionStorage.getItem(NAME);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

// Returns whether the user gave a key.
export function askForKey(reason = "") {
  document.getElementById("key-reason").textContent = reason;
  field.value = dialog.returnValue = "";
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    const end = () => {
      const key = dialog.returnValue === "give" ? field.value.trim() : "";
      if (key) sessionStorage.setItem(NAME, key);
      resolve(Boolean(key));
    };
    dialog.addEventListener("close", end, { once: true });
  });
}
