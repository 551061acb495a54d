// Shows operators the queued, running and failed jobs, from /metrics and the list of jobs.

import { learn } from "/web/i18n.js";
import { ask } from "/web/jobs.js";

const EVERY = 5000;
const MINUTE = 60_000;
const FIGURES = {
  "Waiting": (gauges) => gauges('amigo_jobs{status="queued"}'),
  "Running": (gauges) => gauges('amigo_jobs{status="processing"}'),
  "Succeeded": (gauges) => gauges('amigo_jobs{status="succeeded"}'),
  "Failed": (gauges) => gauges('amigo_jobs{status="failed"}'),
};

const find = (id) => document.getElementById(id);
const element = (name, textContent) => Object.assign(document.createElement(name), { textContent });
const time = new Intl.DateTimeFormat("en", { dateStyle: "short", timeStyle: "medium" });

async function look() {
  try {
    const [text, active, failed, ended] = await Promise.all([
      fetch("/metrics").then((answer) => (answer.ok ? answer.text() : "")),
      ask("/v1/jobs?status=queued&status=processing&limit=50"),
      ask("/v1/jobs?status=failed&limit=20"),
      ask("/v1/jobs?status=succeeded&limit=100"),
    ]);
    find("problem").hidden = true;
    showFigures(text, ended.jobs);
    rows("active", active.jobs.map((job) => [job.id, stateOf(job), job.attempt, when(job.created_at)]));
    rows("failures", failed.jobs.map((job) => [when(job.updated_at), job.failure.code, job.failure.message]));
  } catch (error) {
    find("problem").textContent = error.message;
    find("problem").hidden = false;
  }
}

function showFigures(text, ended) {
  const gauges = (name) => Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ")[1] ?? NaN);
  const figures = Object.entries(FIGURES).map(([name, read]) => [name, read(gauges)]);
  const recent = ended.filter((job) => Date.now() - Date.parse(job.updated_at) < 10 * MINUTE);
  figures.push(["Made in the last 10 minutes", recent.length]);
  find("figures").replaceChildren(...figures.map(([name, value]) => {
    const pair = element("div", "");
    pair.append(element("dt", name), element("dd", Number.isNaN(value) ? "–" : String(value)));
    return pair;
  }));
}

const stateOf = (job) =>
  job.status === "queued" ? `waiting, number ${job.queue_position ?? "?"}` : `${job.stage} · ${Math.round(100 * job.progress)} %`;

const when = (moment) => time.format(new Date(moment));

function rows(id, lines) {
  const shown = lines.length ? lines : [["None"]];
  find(id).replaceChildren(...shown.map((cells) => {
    const row = element("tr", "");
    row.append(...cells.map((cell) => element("td", cell)));
    if (cells.length === 1) row.firstChild.colSpan = 4;
    return row;
  }));
}

await learn("en");
// Rounds never overlap: a key that is asked for stays on the screen.
for (;;) {
  await look();
  await new Promise((next) => setTimeout(next, EVERY));
}
