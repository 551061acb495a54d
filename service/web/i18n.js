// The page's texts: one file a language. What shows at first is in the HTML too, in English, so that nothing flickers.

const NAME = "amigo-language";
const LANGUAGES = ["en", "de", "ar"];
let texts = {};
export let language = "en";

const wanted = () =>
  [localStorage.getItem(NAME), ...navigator.languages.map((each) => each.split("-")[0])].find((each) =>
    LANGUAGES.includes(each)) ?? "en";

// Loads the texts of a language without showing them.
export async function learn(chosen) {
  language = chosen;
  texts = await (await fetch(`/web/lang/${language}.json`)).json();
}

// Shows the page in the chosen language, which is remembered, or in the visitor's.
export async function speak(chosen) {
  if (chosen) localStorage.setItem(NAME, chosen);
  await learn(chosen ?? wanted());
  document.documentElement.lang = language;
  document.documentElement.dir = language === "ar" ? "rtl" : "ltr";
  document.title = t("title");
  for (const each of document.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of document.querySelectorAll("[data-of]")) {
    const names = each.dataset.of.split(" ");
    each.replaceChildren(...names.map((name) => new Option(t(name), name, false, name === each.value)));
  }
}

// Returns the text with its values in place; an unknown name is returned as it is.
export const t = (name, values = {}) =>
  (texts[name] ?? name).replace(/\{(\w+)\}/g, (_, key) => values[key]);
