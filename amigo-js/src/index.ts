/** Client for AMIGO in browsers and Node, without dependencies. */

export { Client, hasEnded } from "./client.js";
export type { ClientOptions, FollowOptions, SubmitOptions } from "./client.js";
export { AmigoError, ApiProblem, ForgedWebhook, JobUnfinished, Unreachable } from "./errors.js";
export type * from "./types.js";
export { readWebhook } from "./webhooks.js";
