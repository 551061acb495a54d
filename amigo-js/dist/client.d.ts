import { type Progress } from "./transport.js";
import type { Job, JobFilter, JobOptions, Source, Token, WebhookSecret } from "./types.js";
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
export declare function hasEnded(job: Job): boolean;
/**
 * Client for one service. Every method may throw ApiProblem or Unreachable. Temporary errors are
 * retried for about half a minute, or as the service asks, if repeating the request does no harm.
 */
export declare class Client {
    #private;
    constructor(baseUrl: string, options?: ClientOptions);
    /** Submit a portrait and a speech clip, and return the queued job. */
    submit(portrait: Source, audio: Source, options: SubmitOptions): Promise<Job>;
    get(jobId: string, signal?: AbortSignal): Promise<Job>;
    /** Yield the job at once and after each change, until it has ended. */
    follow(jobId: string, options?: FollowOptions): AsyncGenerator<Job, void, void>;
    /** Wait until the job ends, through short outages of the service. */
    wait(jobId: string, options?: FollowOptions & {
        onProgress?: (job: Job) => void;
    }): Promise<Job>;
    /** Yield your jobs, newest first. */
    list(filter?: JobFilter): AsyncGenerator<Job, void, void>;
    cancel(jobId: string): Promise<Job>;
    /** Delete the job in any state, along with its files. */
    delete(jobId: string): Promise<void>;
    downloadVideo(jobId: string, signal?: AbortSignal): Promise<Blob>;
    downloadPoster(jobId: string, signal?: AbortSignal): Promise<Blob>;
    /** Upload a file straight to the object store; jobs can refer to it for a day. */
    uploadAsset(kind: "portrait" | "audio", file: Blob, options?: {
        onUploadProgress?: Progress;
        signal?: AbortSignal;
    }): Promise<{
        asset: string;
    }>;
    /** Create a token with which a page reads one job, or all of yours, for some minutes. */
    createToken(wanted?: {
        jobId?: string;
        seconds?: number;
    }): Promise<Token>;
    webhookSecret(): Promise<WebhookSecret>;
}
