// The client for the jobs API: sends single requests, or follows a job until it ends.

import { fetchWithKey } from "/web/key.js";

const PAUSE = 1000;
const MAX_FAILURES = 15;

export class Problem extends Error {}

export async function ask(path, init) {
  let answer;
  try {
    answer = await fetchWithKey(path, init);
  } catch {
    throw new Problem("Could not connect to the service. Is it running?");
  }
  const document = await answer.json();
  if (!answer.ok) throw new Problem(document.detail);
  return document;
}

// Yields the job now and after each change, until it has ended. Resumes the event stream after a
// lost connection.
export async function* follow(job) {
  yield job;
  let id = "";
  for (let failures = 0; failures < MAX_FAILURES; failures++) {
    try {
      for await (const event of events(job.links.events, id)) {
        failures = 0;
        id = event.id ?? id;
        yield (job = JSON.parse(event.data));
        if (job.links.cancel === null) return;
      }
    } catch (error) {
      if (error instanceof Problem) throw error;
      console.warn("Lost the connection", error);
    }
    await new Promise((resume) => setTimeout(resume, PAUSE));
  }
  throw new Problem("Lost the connection to the service. The job may still finish.");
}

// Yields server-sent events. EventSource cannot send an API key.
async function* events(path, id) {
  const answer = await fetchWithKey(path, { headers: id ? { "Last-Event-ID": id } : {} });
  if (answer.status >= 500) throw new Error(`The service responded with ${answer.status}.`);
  if (!answer.ok) throw new Problem((await answer.json()).detail);
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
