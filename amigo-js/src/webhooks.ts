import { ForgedWebhook } from "./errors.js";
import type { WebhookEvent } from "./types.js";

const TOLERANCE_SECONDS = 300;

/**
 * Verify a webhook's signature (Standard Webhooks, v1) and return its event.
 *
 * `body` is the raw body, `secret` is `whsec_…`. A notification can arrive more than once: duplicates
 * share the header `webhook-id`. Throws ForgedWebhook.
 */
export async function readWebhook(
  body: string | Uint8Array,
  headers: Headers | Record<string, string | string[] | undefined>,
  secret: string,
  now: Date = new Date(),
): Promise<WebhookEvent> {
  const given = headers instanceof Headers ? headers : new Headers(flat(headers));
  const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map((name) =>
    given.get(`webhook-${name}`),
  );
  if (!id || !timestamp || !signatures) throw new ForgedWebhook("A webhook header is missing.");
  const age = Math.abs(now.getTime() / 1000 - Number(timestamp));
  if (!(age <= TOLERANCE_SECONDS)) throw new ForgedWebhook("The webhook is too old or too new.");
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`);
  const key = await crypto.subtle.importKey(
    "raw", bytes(secret.replace(/^whsec_/, "")), { name: "HMAC", hash: "SHA-256" }, false, ["verify"],
  );
  for (const each of signatures.split(" ")) {
    const [version, signature] = each.split(",", 2);
    if (version !== "v1" || !signature) continue;
    // Web Crypto compares in constant time.
    if (await crypto.subtle.verify("HMAC", key, bytes(signature), signed)) return JSON.parse(text);
  }
  throw new ForgedWebhook("No signature of the webhook is valid.");
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array(1);
  }
}

function flat(headers: Record<string, string | string[] | undefined>): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(" ") : value]],
  );
}
