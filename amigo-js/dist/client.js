import { JobUnfinished } from "./errors.js";
import { send, sleep } from "./transport.js";
const LONG_POLL_SECONDS = 25;
const LOOK_MILLISECONDS = 1000;
const FINAL = new Set(["succeeded", "failed", "canceled"]);
export function hasEnded(job) {
    return FINAL.has(job.status);
}
/**
 * Client for one service. Every method may throw ApiProblem or Unreachable. Temporary errors are
 * retried for about half a minute, or as the service asks, if repeating the request does no harm.
 */
export class Client {
    #baseUrl;
    #options;
    constructor(baseUrl, options = {}) {
        this.#baseUrl = baseUrl.replace(/\/+$/, "");
        this.#options = options;
    }
    /** Submit a portrait and a speech clip, and return the queued job. */
    async submit(portrait, audio, options) {
        const { idempotencyKey = crypto.randomUUID(), onUploadProgress, signal, ...fields } = options;
        const values = { ...fields };
        const files = [];
        for (const [name, source] of Object.entries({ portrait, audio })) {
            if (source instanceof Blob)
                files.push([name, source]);
            else if (typeof source === "string")
                values[`${name}_url`] = source;
            else
                values[`${name}_asset`] = source.asset;
        }
        const once = { "Idempotency-Key": idempotencyKey };
        const call = { method: "POST", mayRepeat: true, onUploadProgress, signal };
        if (files.length === 0)
            return this.#json("/v1/jobs/json", { ...call, ...asJson(values, once) });
        return this.#json("/v1/jobs", { ...call, headers: once, body: asForm(values, files) });
    }
    get(jobId, signal) {
        return this.#json(pathOf(jobId), { signal });
    }
    /** Yield the job at once and after each change, until it has ended. */
    async *follow(jobId, options = {}) {
        const deadline = Date.now() + 1000 * (options.timeoutSeconds ?? Infinity);
        let tag = null;
        for (let wait = 0;;) {
            const asked = Date.now();
            const headers = tag ? { "If-None-Match": tag } : {};
            const call = { headers, signal: options.signal };
            const response = await this.#send(`${pathOf(jobId)}?wait=${wait}`, call);
            if (response.status !== 304) {
                const job = await response.json();
                yield job;
                if (hasEnded(job))
                    return;
            }
            tag = response.headers.get("ETag");
            if (Date.now() >= deadline)
                throw new JobUnfinished(`Job ${jobId} did not end in time.`);
            await sleep(Math.max(0, asked + LOOK_MILLISECONDS - Date.now()), options.signal);
            wait = Math.max(0, Math.floor(Math.min(LONG_POLL_SECONDS, (deadline - Date.now()) / 1000)));
        }
    }
    /** Wait until the job ends, through short outages of the service. */
    async wait(jobId, options = {}) {
        for await (const job of this.follow(jobId, options)) {
            options.onProgress?.(job);
            if (hasEnded(job))
                return job;
        }
        throw new JobUnfinished(`Job ${jobId} did not end.`);
    }
    /** Yield your jobs, newest first. */
    async *list(filter = {}) {
        const query = new URLSearchParams({ limit: String(filter.pageSize ?? 20) });
        for (const status of filter.status ?? [])
            query.append("status", status);
        if (filter.createdAfter)
            query.set("created_after", filter.createdAfter.toISOString());
        if (filter.createdBefore)
            query.set("created_before", filter.createdBefore.toISOString());
        for (const [name, value] of Object.entries(filter.metadata ?? {}))
            query.set(`metadata[${name}]`, value);
        for (let cursor = ""; cursor !== null;) {
            if (cursor)
                query.set("cursor", cursor);
            const page = await this.#json(`/v1/jobs?${query}`);
            yield* page.jobs;
            cursor = page.next_cursor;
        }
    }
    cancel(jobId) {
        return this.#json(`${pathOf(jobId)}/cancel`, { method: "POST" });
    }
    /** Delete the job in any state, along with its files. */
    async delete(jobId) {
        await this.#send(pathOf(jobId), { method: "DELETE" });
    }
    async downloadVideo(jobId, signal) {
        return (await this.#send(`${pathOf(jobId)}/video`, { signal })).blob();
    }
    async downloadPoster(jobId, signal) {
        return (await this.#send(`${pathOf(jobId)}/poster`, { signal })).blob();
    }
    /** Upload a file straight to the object store; jobs can refer to it for a day. */
    async uploadAsset(kind, file, options = {}) {
        const wanted = { kind, size: file.size, content_type: file.type || "application/octet-stream" };
        const asset = await this.#json("/v1/assets", { method: "POST", ...asJson(wanted) });
        const { "Content-Length": _, ...headers } = asset.upload.headers; // set by the platform
        await send(asset.upload.url, { ...options, method: asset.upload.method, headers, body: file });
        return { asset: asset.id };
    }
    /** Create a token with which a page reads one job, or all of yours, for some minutes. */
    createToken(wanted = {}) {
        const body = { job_id: wanted.jobId ?? null, ...(wanted.seconds ? { seconds: wanted.seconds } : {}) };
        return this.#json("/v1/tokens", { method: "POST", ...asJson(body) });
    }
    webhookSecret() {
        return this.#json("/v1/webhooks/secret");
    }
    async #json(path, call = {}) {
        return (await this.#send(path, call)).json();
    }
    #send(path, call) {
        const { apiKey, token } = this.#options;
        const headers = { ...call.headers, ...(apiKey ? { Authorization: `Bearer ${apiKey}` } : {}) };
        const query = token ? `${path.includes("?") ? "&" : "?"}token=${token}` : "";
        return send(this.#baseUrl + path + query, { ...call, headers });
    }
}
function pathOf(jobId) {
    return `/v1/jobs/${encodeURIComponent(jobId)}`;
}
function asJson(values, headers = {}) {
    return { headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(values) };
}
function asForm(values, files) {
    const form = new FormData();
    for (const [name, value] of Object.entries(values)) {
        if (value !== undefined)
            form.append(name, typeof value === "string" ? value : JSON.stringify(value));
    }
    for (const [name, file] of files)
        form.append(name, file, file instanceof File ? file.name : name);
    return form;
}
