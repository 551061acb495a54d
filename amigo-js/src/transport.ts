import { AmigoError, ApiProblem, Unreachable } from "./errors.js";

const ATTEMPTS = 6;
const LONGEST_PAUSE_SECONDS = 30;

export type Progress = (sent: number, total: number) => void;

export interface Call {
  method?: string;
  headers?: Record<string, string>;
  body?: BodyInit;
  signal?: AbortSignal | undefined;
  onUploadProgress?: Progress | undefined;
  /** Whether a repeated request does no harm. */
  mayRepeat?: boolean;
}

/** Send a request until it succeeds, is rejected for good, or the attempts are used up. */
export async function send(url: string, call: Call): Promise<Response> {
  const mayRepeat = call.mayRepeat ?? call.method !== "POST";
  for (let attempt = 1; ; attempt++) {
    try {
      return await sendOnce(url, call);
    } catch (error) {
      call.signal?.throwIfAborted();
      const pause = pauseAfter(error, attempt);
      if (!mayRepeat || attempt === ATTEMPTS || pause === undefined) throw error;
      await sleep(pause * 1000, call.signal);
    }
  }
}

export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

/** Return the seconds before another attempt; undefined if it would fail, too. */
function pauseAfter(error: unknown, attempt: number): number | undefined {
  const growing = Math.min(0.5 * 2 ** (attempt - 1), 10);
  if (error instanceof Unreachable) return growing;
  if (!(error instanceof ApiProblem)) return undefined;
  const passes = error.status === 429 || error.status >= 500 || error.code === "idempotency_in_progress";
  const pause = error.retryAfter ?? growing;
  return passes && pause <= LONGEST_PAUSE_SECONDS ? pause : undefined;
}

async function sendOnce(url: string, call: Call): Promise<Response> {
  const measured = call.onUploadProgress && call.body !== undefined;
  let response: Response;
  try {
    if (measured && "XMLHttpRequest" in globalThis) response = await sendWithXhr(url, call);
    else if (measured) response = await sendCounted(url, call);
    else response = await fetch(url, init(call));
  } catch (error) {
    call.signal?.throwIfAborted();
    if (error instanceof AmigoError) throw error;
    throw new Unreachable(`${new URL(url).origin} cannot be reached.`, { cause: error });
  }
  if (!response.ok && response.status !== 304) throw await ApiProblem.of(response);
  return response;
}

function init(call: Call): RequestInit {
  const { method = "GET", headers = {}, body, signal } = call;
  return { method, headers, ...(body === undefined ? {} : { body }), ...(signal ? { signal } : {}) };
}

/** Browsers only report the progress of an upload through XMLHttpRequest. */
function sendWithXhr(url: string, call: Call): Promise<Response> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open(call.method ?? "GET", url);
    for (const [name, value] of Object.entries(call.headers ?? {})) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = (event) => call.onUploadProgress?.(event.loaded, event.total);
    xhr.onerror = () => reject(new TypeError("The connection broke."));
    xhr.onload = () => {
      const lines = xhr.getAllResponseHeaders().trim().split("\r\n");
      const headers = new Headers(lines.map((line) => line.split(/: (.*)/, 2) as [string, string]));
      resolve(new Response(xhr.status === 204 ? null : xhr.responseText, { status: xhr.status, headers }));
    };
    call.signal?.addEventListener("abort", () => (xhr.abort(), reject(call.signal?.reason)));
    xhr.send(call.body as XMLHttpRequestBodyInit);
  });
}

async function sendCounted(url: string, call: Call): Promise<Response> {
  const whole = new Request("http://localhost", { method: "POST", body: call.body! });
  const content = new Uint8Array(await whole.arrayBuffer());
  const type = whole.headers.get("Content-Type");
  const step = 64 * 1024;
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent >= content.length) return controller.close();
      controller.enqueue(content.subarray(sent, sent + step));
      sent = Math.min(sent + step, content.length);
      call.onUploadProgress?.(sent, content.length);
    },
  });
  const headers = { ...call.headers, ...(type ? { "Content-Type": type } : {}) };
  return fetch(url, { ...init({ ...call, headers }), body, duplex: "half" } as RequestInit);
}
