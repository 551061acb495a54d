// Makes a job, polls it and downloads its video: `… BASE_URL PORTRAIT SPEECH OUTPUT`.
import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { createJob, listJobs, readJob, readVideo } from "./generated/index.js";
import { client } from "./generated/client.gen.js";

const [baseUrl, portrait, speech, output] = process.argv.slice(2) as [string, string, string, string];
client.setConfig({ baseUrl, throwOnError: true });

const created = await createJob({
  body: {
    portrait: new File([await openAsBlob(portrait)], "portrait.jpg"),
    audio: new File([await openAsBlob(speech)], "speech.wav"),
    consent: true,
    resolution: 256,
    metadata: { made: "hey-api" },
  },
  throwOnError: true,
});
let job = created.data;
while (job.status === "queued" || job.status === "processing") {
  const { data, response } = await readJob({ path: { job_id: job.id }, throwOnError: true });
  job = data;
  await sleep(1000 * Number(response.headers.get("Retry-After")));
}
if (job.status !== "succeeded") throw new Error(job.failure?.message);
const page = await listJobs({ query: { metadata: { made: "hey-api" } }, throwOnError: true });
if (page.data.jobs.length !== 1) throw new Error(JSON.stringify(page.data));
const video = await readVideo({ path: { job_id: job.id }, parseAs: "blob", throwOnError: true });
await writeFile(output, new Uint8Array(await (video.data as Blob).arrayBuffer()));
