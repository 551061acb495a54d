import { JobUnfinished } from "./errors.js";
import { type Call, type Progress, send, sleep } from "./transport.js";
import type { Asset, Check, Job, JobFilter, JobOptions, Source, Token, Usage, WebhookSecret } from "./types.js";

const LONG_POLL_SECONDS = 25;
const LOOK_MILLISECONDS = 1000;
const FINAL = new Set(["succeeded", "failed", "canceled"]);

export interface ClientOptions {
  /** Omit it for a service that requires none, and in pages, which use `token`. */
  apiKey?: string;
  /** A token from `createToken`, for pages that only read. */
  token?: string;
}

export interface SubmitOptions extends JobOptions {
  /** You have the right to animate this face and this voice. */
  consent: true;
  /** Your own key for this request; repeated within a day, it returns the same job. */
  idempotencyKey?: string;
  onUploadProgress?: Progress;
  signal?: AbortSignal;
}

export interface FollowOptions {
  timeoutSeconds?: number;
  signal?: AbortSignal;
}

export function hasEnded(job: Job): boolean {
  return FINAL.has(job.status);
}

/**
 * Client for one service. Every method may throw ApiProblem or Unreachable. Temporary errors are
 * retried for about half a minute, or as the service asks, if repeating the request does no harm.
 */
export class Client {
  readonly #baseUrl: string;
  readonly #options: ClientOptions;

  constructor(baseUrl: string, options: ClientOptions = {}) {
    this.#baseUrl = baseUrl.replace(/\/+$/, "");
    this.#options = options;
  }

  /** Return what a job would make of one or both files; nothing is stored or made. */
  check(
    files: { portrait?: Blob; audio?: Blob },
    options: { face?: string; onUploadProgress?: Progress; signal?: AbortSignal } = {},
  ): Promise<Check> {
    const { face, ...call } = options;
    const body = asForm({ face }, Object.entries(files).filter(([, file]) => file));
    return this.#json("/v1/checks", { ...call, method: "POST", mayRepeat: true, body });
  }

  /** Submit a portrait and a speech clip, and return the queued job. */
  async submit(portrait: Source, audio: Source, options: SubmitOptions): Promise<Job> {
    const { idempotencyKey = crypto.randomUUID(), onUploadProgress, signal, ...fields } = options;
    const values: Record<string, unknown> = { ...fields };
    const files: [string, Blob][] = [];
    for (const [name, source] of Object.entries({ portrait, audio })) {
      if (source instanceof Blob) files.push([name, source]);
      else if (typeof source === "string") values[`${name}_url`] = source;
      else values[`${name}_asset`] = source.asset;
    }
    const once = { "Idempotency-Key": idempotencyKey };
    const call = { method: "POST", mayRepeat: true, onUploadProgress, signal };
    if (files.length === 0) return this.#json("/v1/jobs/json", { ...call, ...asJson(values, once) });
    return this.#json("/v1/jobs", { ...call, headers: once, body: asForm(values, files) });
  }

  async get(jobId: string, signal?: AbortSignal): Promise<Job> {
    return versionOf(await this.#send(pathOf(jobId), { signal }));
  }

  /** Yield the job at once and after each change, until it has ended. */
  async *follow(jobId: string, options: FollowOptions = {}): AsyncGenerator<Job, void, void> {
    const deadline = Date.now() + 1000 * (options.timeoutSeconds ?? Infinity);
    let tag: string | null = null;
    for (let wait = 0; ; ) {
      const asked = Date.now();
      const headers: Record<string, string> = tag ? { "If-None-Match": tag } : {};
      const call = { headers, signal: options.signal };
      const response = await this.#send(`${pathOf(jobId)}?wait=${wait}`, call);
      if (response.status !== 304) {
        const job = await versionOf(response);
        yield job;
        if (hasEnded(job)) return;
      }
      tag = response.headers.get("ETag");
      if (Date.now() >= deadline) throw new JobUnfinished(`Job ${jobId} did not end in time.`);
      await sleep(Math.max(0, asked + LOOK_MILLISECONDS - Date.now()), options.signal);
      wait = Math.max(0, Math.floor(Math.min(LONG_POLL_SECONDS, (deadline - Date.now()) / 1000)));
    }
  }

  /** Wait until the job ends, through short outages of the service. */
  async wait(
    jobId: string, options: FollowOptions & { onProgress?: (job: Job) => void } = {},
  ): Promise<Job> {
    for await (const job of this.follow(jobId, options)) {
      options.onProgress?.(job);
      if (hasEnded(job)) return job;
    }
    throw new JobUnfinished(`Job ${jobId} did not end.`);
  }

  /** Yield your jobs, newest first. */
  async *list(filter: JobFilter = {}): AsyncGenerator<Job, void, void> {
    const query = new URLSearchParams({ limit: String(filter.pageSize ?? 20) });
    for (const status of filter.status ?? []) query.append("status", status);
    if (filter.createdAfter) query.set("created_after", filter.createdAfter.toISOString());
    if (filter.createdBefore) query.set("created_before", filter.createdBefore.toISOString());
    for (const [name, value] of Object.entries(filter.metadata ?? {})) query.set(`metadata[${name}]`, value);
    for (let cursor: string | null = ""; cursor !== null; ) {
      if (cursor) query.set("cursor", cursor);
      const page: { jobs: Job[]; next_cursor: string | null } = await this.#json(`/v1/jobs?${query}`);
      yield* page.jobs;
      cursor = page.next_cursor;
    }
  }

  /** Cancel the job; with `ifMatch`, only in the version with this `etag`. */
  cancel(jobId: string, options: { ifMatch?: string } = {}): Promise<Job> {
    return this.#json(`${pathOf(jobId)}/cancel`, { method: "POST", headers: ifMatch(options) });
  }

  /** Delete the job in any state, along with its files; `ifMatch` as for `cancel`. */
  async delete(jobId: string, options: { ifMatch?: string } = {}): Promise<void> {
    await this.#send(pathOf(jobId), { method: "DELETE", headers: ifMatch(options) });
  }

  async downloadVideo(jobId: string, signal?: AbortSignal): Promise<Blob> {
    return (await this.#send(`${pathOf(jobId)}/video`, { signal })).blob();
  }

  async downloadPoster(jobId: string, signal?: AbortSignal): Promise<Blob> {
    return (await this.#send(`${pathOf(jobId)}/poster`, { signal })).blob();
  }

  /** Upload a file straight to the object store; jobs can refer to it for a day. */
  async uploadAsset(
    kind: "portrait" | "audio",
    file: Blob,
    options: { onUploadProgress?: Progress; signal?: AbortSignal } = {},
  ): Promise<{ asset: string }> {
    const wanted = { kind, size: file.size, content_type: file.type || "application/octet-stream" };
    const asset: Asset = await this.#json("/v1/assets", { method: "POST", ...asJson(wanted) });
    const { "Content-Length": _, ...headers } = asset.upload!.headers;  // set by the platform
    await send(asset.upload!.url, { ...options, method: asset.upload!.method, headers, body: file });
    return { asset: asset.id };
  }

  /** Create a token with which a page reads one job, or all of yours, for some minutes. */
  createToken(wanted: { jobId?: string; seconds?: number } = {}): Promise<Token> {
    const body = { job_id: wanted.jobId ?? null, ...(wanted.seconds ? { seconds: wanted.seconds } : {}) };
    return this.#json("/v1/tokens", { method: "POST", ...asJson(body) });
  }

  /** What the API key has used today (UTC) and what remains of its limits. */
  usage(): Promise<Usage> {
    return this.#json("/v1/usage");
  }

  webhookSecret(): Promise<WebhookSecret> {
    return this.#json("/v1/webhooks/secret");
  }

  async #json<T>(path: string, call: Call = {}): Promise<T> {
    return (await this.#send(path, call)).json();
  }

  #send(path: string, call: Call): Promise<Response> {
    const { apiKey, token } = this.#options;
    const headers = { ...call.headers, ...(apiKey ? { Authorization: `Bearer ${apiKey}` } : {}) };
    const query = token ? `${path.includes("?") ? "&" : "?"}token=${token}` : "";
    return send(this.#baseUrl + path + query, { ...call, headers });
  }
}

function pathOf(jobId: string): string {
  return `/v1/jobs/${encodeURIComponent(jobId)}`;
}

/** The job with the tag of its version, which a compressing proxy makes weak. */
async function versionOf(response: Response): Promise<Job> {
  const job: Job = await response.json();
  const etag = response.headers.get("ETag")?.replace(/^W\//, "");
  return etag ? { ...job, etag } : job;
}

function ifMatch(options: { ifMatch?: string }): Record<string, string> {
  return options.ifMatch ? { "If-Match": options.ifMatch } : {};
}

function asJson(values: unknown, headers: Record<string, string> = {}): Call {
  return { headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(values) };
}

function asForm(values: Record<string, unknown>, files: [string, Blob][]): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) form.append(name, typeof value === "string" ? value : JSON.stringify(value));
  }
  for (const [name, file] of files) form.append(name, file, file instanceof File ? file.name : name);
  return form;
}
