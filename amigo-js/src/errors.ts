/** The base class of this package's errors. */
export class AmigoError extends Error {
  override name = "AmigoError";
}

/** The service rejected a request: problem details (RFC 9457) with a stable `code`. */
export class ApiProblem extends AmigoError {
  override name = "ApiProblem";

  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    /** Seconds after which the request may succeed. */
    readonly retryAfter: number | undefined,
  ) {
    super(detail);
  }

  static async of(response: Response): Promise<ApiProblem> {
    const text = await response.text();
    const wait = Number(response.headers.get("Retry-After") ?? NaN);
    let problem: { code?: string; detail?: string } = {};
    try {
      problem = JSON.parse(text);
    } catch {
      // A proxy answered.
    }
    return new ApiProblem(
      response.status,
      problem.code ?? "unknown",
      problem.detail ?? `The service responded with status ${response.status}.`,
      Number.isNaN(wait) ? undefined : wait,
    );
  }
}

/** The service could not be reached. */
export class Unreachable extends AmigoError {
  override name = "Unreachable";
}

/** The job did not end in time. */
export class JobUnfinished extends AmigoError {
  override name = "JobUnfinished";
}

/** A webhook that the service did not sign, or not recently. */
export class ForgedWebhook extends AmigoError {
  override name = "ForgedWebhook";
}
