// The caller's latest videos, with what can be done with them.

import { language, t } from "/web/i18n.js";
import { ask } from "/web/jobs.js";
import { addressOf } from "/web/key.js";

const LATEST = 12;
const find = (id) => document.getElementById(id);
const element = (name, properties) => Object.assign(document.createElement(name), properties);

export async function refresh(onDeleted) {
  let page;
  try {
    page = await ask(`/v1/jobs?limit=${LATEST}`, { quiet: true });
  } catch {
    return; // without a key, or without a service, there is no history
  }
  find("jobs").replaceChildren(...page.jobs.map((job) => entry(job, onDeleted)));
  find("history").hidden = !page.jobs.length;
}

function entry(job, onDeleted) {
  const item = element("li", {});
  const picture = element("img", { alt: "", width: 96, height: 96, loading: "lazy" });
  if (job.links.poster) addressOf(`${job.links.poster}?redirect=false`).then((src) => (picture.src = src));
  else picture.hidden = true;
  const state = job.status === "queued" ? "waiting" : job.status;
  const time = new Intl.DateTimeFormat(language, { dateStyle: "short", timeStyle: "short" });
  const name = `${t(job.options.emotion)} · ${time.format(new Date(job.created_at))}`;
  const open = element("a", { href: `#${job.id}`, textContent: name });
  const facts = [job.status === "succeeded" ? "" : t(state)];
  if (job.expires_at) facts.push(t("expires", { date: time.format(new Date(job.expires_at)) }));
  const remove = element("button", { type: "button", className: "quiet", textContent: t("delete") });
  remove.setAttribute("aria-label", `${t("delete")}: ${name}`);
  remove.addEventListener("click", async () => {
    await ask(job.links.self, { method: "DELETE" }).catch((problem) => problem);
    onDeleted(job.id);
    await refresh(onDeleted);
    find("history-title").focus();
  });
  const about = element("div", {});
  about.append(open, element("p", { className: "hint", textContent: facts.filter(Boolean).join(" · ") }), remove);
  item.append(picture, about);
  return item;
}
