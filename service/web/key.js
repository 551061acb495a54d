// Asks for an API key if the service requires one, and stores it until the tab is closed.

const NAME = "amigo-key";
const dialog = document.getElementById("key-dialog");
const field = document.getElementById("key");

// Like fetch, with the API key. Returns the 401 response if the user cancels the dialog.
export async function fetchWithKey(path, init = {}) {
  for (;;) {
    const answer = await fetch(path, { ...init, headers: { ...init.headers, ...authorization() } });
    if (answer.status !== 401) return answer;
    const { code, detail } = await answer.clone().json();
    const key = await askForKey(code === "key_missing" ? "" : detail);
    if (!key) return answer;
    sessionStorage.setItem(NAME, key);
  }
}

// Returns a URL that an element can load. Elements cannot send an API key.
export async function addressOf(path) {
  if (!sessionStorage.getItem(NAME)) return path;
  return URL.createObjectURL(await (await fetchWithKey(path)).blob());
}

function authorization() {
  const key = sessionStorage.getItem(NAME);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function askForKey(reason) {
  document.getElementById("key-reason").textContent = reason;
  field.value = dialog.returnValue = "";
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    const end = () => resolve(dialog.returnValue === "give" ? field.value.trim() : "");
    dialog.addEventListener("close", end, { once: true });
  });
}
