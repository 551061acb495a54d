// Uses every part of the TypeScript SDK once: `… BASE_URL PORTRAIT SPEECH OUTPUT`.
import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";

import { ApiProblem, Client, ForgedWebhook, type Job, readWebhook } from "./sdk/index.js";

function check(isTrue: boolean, what: string): asserts isTrue {
  if (!isTrue) throw new Error(what);
}

const [baseUrl, portrait, speech, output] = process.argv.slice(2) as [string, string, string, string];
const amigo = new Client(baseUrl);
const checked = await amigo.check({ portrait: await openAsBlob(portrait), audio: await openAsBlob(speech) });
check(checked.portrait!.refusal === null && checked.portrait!.speaker === 1, `check: ${JSON.stringify(checked)}`);
check(checked.audio!.duration! > 0.2, `check: ${JSON.stringify(checked)}`);
const sent: number[] = [];
const asset = await amigo.uploadAsset("portrait", await openAsBlob(portrait, { type: "image/jpeg" }));
const job = await amigo.submit(asset, await openAsBlob(speech), {
  consent: true,
  resolution: 256,
  metadata: { made: "by the SDK" },
  onUploadProgress: (bytes, total) => sent.push(bytes / total),
});
check(sent.at(-1) === 1, `upload progress: ${sent}`);
const seen: Job[] = [];
for await (const each of amigo.follow(job.id)) seen.push(each);
const ended = seen.at(-1)!;
check(ended.status === "succeeded", ended.failure?.message ?? ended.status);
const found = [];
for await (const each of amigo.list({ metadata: { made: "by the SDK" }, pageSize: 1 })) found.push(each.id);
check(found.length === 1 && found[0] === job.id, `listed: ${found}`);
const video = await amigo.downloadVideo(job.id);
await writeFile(output, new Uint8Array(await video.arrayBuffer()));
const played = await fetch(ended.video_url!);
check((await played.arrayBuffer()).byteLength === video.size, "video_url plays something else");

const { token } = await amigo.createToken({ jobId: job.id });
check((await new Client(baseUrl, { token }).get(job.id)).id === job.id, "the token reads nothing");

const used = await amigo.usage();
check(used.jobs.succeeded >= 1 && used.video_seconds > 0, `usage: ${JSON.stringify(used)}`);

const { secret } = await amigo.webhookSecret();
const body = JSON.stringify({ type: "job.succeeded", timestamp: ended.updated_at, data: ended });
const id = "msg_1", timestamp = String(Math.floor(Date.now() / 1000));
const key = await crypto.subtle.importKey(
  "raw", Buffer.from(secret.slice(6), "base64"), { name: "HMAC", hash: "SHA-256" }, false, ["sign"],
);
const mac = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(`${id}.${timestamp}.${body}`));
const headers = {
  "webhook-id": id,
  "webhook-timestamp": timestamp,
  "webhook-signature": `v1,AAAA v1,${Buffer.from(mac).toString("base64")}`,
};
check((await readWebhook(body, headers, secret)).data.id === job.id, "the webhook is another job's");
const forged = await readWebhook(`${body} `, headers, secret).catch((error: unknown) => error);
check(forged instanceof ForgedWebhook, `a changed webhook: ${forged}`);

const stale = await amigo.delete(job.id, { ifMatch: seen[0]!.etag! }).catch((error: unknown) => error);
check(stale instanceof ApiProblem && stale.code === "precondition_failed", `a stale version: ${stale}`);
await amigo.delete(job.id, { ifMatch: (await amigo.get(job.id)).etag! });
const missing = await amigo.get(job.id).catch((error: unknown) => error);
check(missing instanceof ApiProblem && missing.code === "job_not_found", `a deleted job: ${missing}`);
