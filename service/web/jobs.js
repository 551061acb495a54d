// The client for the jobs API: sends single requests, uploads with progress, follows a job.

import { t } from "/web/i18n.js";
import { authorization, fetchWithKey } from "/web/key.js";

const WAIT = 2; // seconds
const SENTENCES = { job_not_found: "job_gone", face_not_found: "other_face", face_covered: "other_face" };

export class Problem extends Error {
  constructor(message, code = "", status = 0) {
    super(message);
    Object.assign(this, { code, status });
  }
}

export async function ask(path, init) {
  try {
    const answer = await fetchWithKey(path, init);
    return read(answer.status, await answer.text());
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") throw error;
    throw new Problem(t("no_connection"));
  }
}

// A proxy's error page is no JSON.
function read(status, text) {
  if (status === 204) return null;
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Problem(t("bad_answer", { status }), "", status);
  }
  if (status >= 400) throw problemOf({ status, ...document });
  return document;
}

export const problemOf = ({ code, detail, status }) =>
  new Problem(t(SENTENCES[code] ?? "problem", { detail }), code, status);

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
    request.onerror = () => reject(new Problem(t("no_connection")));
    request.onabort = () => reject(new Problem(t("canceled"), "canceled"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

// Yields the job now and after each change, until it has ended; goes on after a lost connection, for
// as long as it takes; `onLost` hears of it.
export async function* follow(job, signal, onLost) {
  yield job;
  while (job.links.cancel && !signal.aborted) {
    try {
      job = await ask(`${job.links.self}?wait=${WAIT}`, { signal });
      onLost(false);
      yield job;
    } catch (error) {
      if (!isPassing(error)) throw error;
      onLost(true);
      await new Promise((resume) => setTimeout(resume, 1000 * WAIT));
    }
  }
}

// Whether the same request may succeed later.
export const isPassing = (error) =>
  error instanceof Problem && (!error.status || error.status === 429 || error.status >= 500);
