// Asks for an API key when the service does, and keeps it until the tab is closed.

const NAME = "amigo-key";
const dialog = document.getElementById("key-dialog");
const field = document.getElementById("key");

// Like fetch, with the key; a visitor who gives none gets the refusal.
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

// The address under which an element shows what lies behind a path; elements send no key.
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
