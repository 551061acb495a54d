import type { WebhookEvent } from "./types.js";
/**
 * Verify a webhook's signature (Standard Webhooks, v1) and return its event.
 *
 * `body` is the raw body, `secret` is `whsec_…`. A notification can arrive more than once: duplicates
 * share the header `webhook-id`. Throws ForgedWebhook.
 */
export declare function readWebhook(body: string | Uint8Array, headers: Headers | Record<string, string | string[] | undefined>, secret: string, now?: Date): Promise<WebhookEvent>;
