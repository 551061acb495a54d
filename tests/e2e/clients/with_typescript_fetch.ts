// Makes a job, polls it and downloads its video: `… BASE_URL PORTRAIT SPEECH OUTPUT`.
import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { Configuration, JobsApi } from "./generated/index.js";

const [basePath, portrait, speech, output] = process.argv.slice(2) as [string, string, string, string];
const jobs = new JobsApi(new Configuration({ basePath }));

let job = await jobs.createJob({
  portrait: new File([await openAsBlob(portrait)], "portrait.jpg"),
  audio: new File([await openAsBlob(speech)], "speech.wav"),
  consent: true,
  resolution: 256,
  metadata: { made: "typescript-fetch" },
});
while (job.status === "queued" || job.status === "processing") {
  const answer = await jobs.readJobRaw({ jobId: job.id });
  job = await answer.value();
  await sleep(1000 * Number(answer.raw.headers.get("Retry-After")));
}
if (job.status !== "succeeded") throw new Error(job.failure?.message);
const page = await jobs.listJobs({ metadata: { made: "typescript-fetch" } });
if (page.jobs.length !== 1) throw new Error(JSON.stringify(page));
const video = await jobs.readVideo({ jobId: job.id });
await writeFile(output, new Uint8Array(await video.arrayBuffer()));
