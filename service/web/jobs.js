// The client for the jobs API: sends single requests, uploads with progress, follows a job.

import { t } from "/web/i18n.js";
import { authorization, fetchWithKey } from "/web/key.js";

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 5000;
const SENTENCES = { job_not_found: "job_gone", face_not_found: "other_face", face_covered: "other_face" };

export class Problem extends Error {
  constructor(message, code = "") {
    super(message);
    this.code = code;
  }
}

export async function ask(path, init) {
  let answer;
  try {
    answer = await fetchWithKey(path, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(t("no_connection"), "no_connection");
  }
  return read(answer.status, await answer.text());
}

// A proxy's error page is no JSON.
function read(status, text) {
  if (status === 204) return null;
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Problem(t("bad_answer", { status }), "bad_answer");
  }
  if (status >= 400) throw problemOf(document);
  return document;
}

export const problemOf = ({ code, detail }) => new Problem(t(SENTENCES[code] ?? "problem", { detail }), code);

// Sends the form; only XMLHttpRequest reports how much has been sent. A repeated key repeats no job.
export function upload(form, key, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/jobs");
    for (const [name, value] of Object.entries({ ...authorization(), "Idempotency-Key": key }))
      request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.onload = () => {
      try {
        resolve(read(request.status, request.responseText));
      } catch (problem) {
        reject(problem);
      }
    };
    request.onerror = () => reject(new Problem(t("no_connection"), "no_connection"));
    request.onabort = () => reject(new Problem(t("canceled"), "canceled"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

// Yields the job now and after each change, until it has ended. Resumes the event stream after a
// lost connection, for as long as it takes; `onLost` hears of it.
export async function* follow(job, signal, onLost) {
  yield job;
  let id = "";
  let pause = FIRST_PAUSE;
  while (job.links.cancel && !signal.aborted) {
    try {
      for await (const event of events(job.links.events, id, signal)) {
        pause = FIRST_PAUSE;
        onLost(false);
        id = event.id ?? id;
        yield (job = JSON.parse(event.data));
        if (!job.links.cancel) return;
      }
    } catch (error) {
      if (error instanceof Problem || signal.aborted) throw error;
      onLost(true);
    }
    await new Promise((resume) => setTimeout(resume, pause));
    pause = Math.min(1.5 * pause, LONGEST_PAUSE);
  }
}

// Yields server-sent events. EventSource cannot send an API key.
async function* events(path, id, signal) {
  const answer = await fetchWithKey(path, { signal, headers: id ? { "Last-Event-ID": id } : {} });
  if (answer.status >= 500) throw new Error(`The service responded with ${answer.status}.`);
  if (!answer.ok) throw problemOf(await answer.json());
  let text = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s)));
      if (fields.data) yield fields;
    }
  }
}
