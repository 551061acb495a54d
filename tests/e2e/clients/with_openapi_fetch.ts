// Makes a job, polls it and downloads its video: `… BASE_URL PORTRAIT SPEECH OUTPUT`.
import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import createClient from "openapi-fetch";

import type { paths } from "./generated.js";

const [baseUrl, portrait, speech, output] = process.argv.slice(2) as [string, string, string, string];
const client = createClient<paths>({ baseUrl });

const form = new FormData();
form.append("portrait", await openAsBlob(portrait), "portrait.jpg");
form.append("audio", await openAsBlob(speech), "speech.wav");
form.append("consent", "true");
form.append("resolution", "256");
form.append("metadata", JSON.stringify({ "made.by": "openapi-fetch" }));
const created = await client.POST("/v1/jobs", {
  body: { consent: true },
  bodySerializer: () => form,
});
if (created.error) throw new Error(created.error.detail);
let job = created.data;
while (job.status === "queued" || job.status === "processing") {
  const { data, error, response } = await client.GET("/v1/jobs/{job_id}", {
    params: { path: { job_id: job.id } },
  });
  if (error) throw new Error(error.detail);
  job = data;
  await sleep(1000 * Number(response.headers.get("Retry-After")));
}
if (job.status !== "succeeded") throw new Error(job.failure?.message);
const page = await client.GET("/v1/jobs", {
  params: { query: { metadata: { "made.by": "openapi-fetch" }, status: ["succeeded"] } },
});
if (page.data?.jobs.length !== 1) throw new Error(JSON.stringify(page));
const video = await client.GET("/v1/jobs/{job_id}/video", {
  params: { path: { job_id: job.id } },
  parseAs: "arrayBuffer",
});
if (!video.data) throw new Error(video.response.statusText);
await writeFile(output, new Uint8Array(video.data));
