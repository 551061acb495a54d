/** Requests and documents of the service. Unknown members of newer services are kept. */

export type JobStatus = "queued" | "processing" | "succeeded" | "failed" | "canceled";
export type Emotion =
  | "neutral" | "happiness" | "sadness" | "anger" | "fear" | "disgust" | "surprise" | "contempt";
export type WebhookEventType = "job.succeeded" | "job.failed" | "job.canceled";

/** Options of a video; an omitted one has the service's default. */
export interface JobOptions {
  emotion?: Emotion | "auto";
  /** 0 to 2: none, as detected, twice as strong. */
  intensity?: number;
  pose?: "natural" | "still";
  blink?: boolean;
  eyes?: "open" | "as_is";
  /** "largest", a number counted from the left ("1"), or a point in pixels ("640,210"). */
  face?: string;
  compose?: "crop" | "full";
  resolution?: 256 | 512;
  seed?: number;
  mark?: boolean;
  priority?: "high" | "normal" | "low";
  webhook_url?: string;
  webhook_events?: WebhookEventType[];
  metadata?: Record<string, string>;
}

/** A file, the https URL of one, or an asset. */
export type Source = Blob | string | { asset: string };

export interface Job {
  id: string;
  /** Identifies this version for `ifMatch`; only jobs from `get`, `follow` and `wait` have one. */
  etag?: string;
  status: JobStatus;
  stage: "fetching" | "listening" | "rendering" | "storing" | null;
  /** 0 to 1. */
  progress: number;
  attempt: number;
  priority: "high" | "normal" | "low";
  /** 1 is next. */
  queue_position: number | null;
  eta: string | null;
  eta_seconds: number | null;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
  updated_at: string;
  expires_at: string | null;
  options: Required<Omit<JobOptions, "priority" | "webhook_url" | "webhook_events" | "metadata">> & {
    consent: boolean;
  };
  consent: { affirmed_at: string; version: string; statement: string; key_id: string | null } | null;
  metadata: Record<string, string>;
  notices: string[];
  failure: { code: string; message: string } | null;
  emotion: { emotion: string; probabilities: Record<string, number> } | null;
  /** Seconds. */
  duration: number | null;
  num_frames: number | null;
  width: number | null;
  height: number | null;
  timings: Record<string, number>;
  webhook: {
    url: string;
    status: "pending" | "delivered" | "retrying" | "disabled";
    attempts: number;
    reason: string | null;
    events: WebhookEventType[];
  } | null;
  /** Absolute, plays without an API key, expires. */
  video_url: string | null;
  poster_url: string | null;
  /** Paths. */
  links: Record<string, string | null>;
}

export interface Asset {
  id: string;
  kind: "portrait" | "audio";
  expires_at: string;
  is_uploaded: boolean;
  upload: { method: string; url: string; headers: Record<string, string> } | null;
}

export interface Refusal {
  code: string;
  message: string;
}

/** A rectangle in pixels of the upright picture; it may extend beyond its edges. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Face {
  box: Box;
  /** What a video of the face alone shows. */
  crop: Box;
  /** Pixels between the eyes' centres. */
  interocular: number;
  refusal: Refusal | null;
}

/** What a job would make of the files; null for one that was not sent. */
export interface Check {
  portrait: {
    width: number | null;
    height: number | null;
    /** From the left; null if the service could not look for them. */
    faces: Face[] | null;
    /** Number of the face to be animated, 1 for the leftmost. */
    speaker: number | null;
    notices: string[];
    refusal: Refusal | null;
  } | null;
  audio: { duration: number | null; notices: string[]; refusal: Refusal | null } | null;
}

export interface Token {
  token: string;
  job_id: string | null;
  expires_at: string;
}

export interface Limit {
  limit: number;
  remaining: number;
}

export interface Usage {
  day_start: string;
  day_end: string;
  jobs: { unfinished: number; created: number; succeeded: number; failed: number; canceled: number };
  /** Length of the videos made today. */
  video_seconds: number;
  /** Null means unlimited. */
  limits: { jobs_a_day: Limit | null; concurrent_jobs: Limit | null; requests_a_minute: Limit | null };
}

export interface WebhookSecret {
  secret: string;
  previous_secret: string | null;
  previous_expires_at: string | null;
}

export interface WebhookEvent {
  type: WebhookEventType | "webhook.test";
  timestamp: string;
  data: Job;
}

export interface JobFilter {
  status?: JobStatus[];
  createdAfter?: Date;
  createdBefore?: Date;
  metadata?: Record<string, string>;
  /** Jobs per request, 1 to 100. */
  pageSize?: number;
}
