/** The base class of this package's errors. */
export class AmigoError extends Error {
    name = "AmigoError";
}
/** The service rejected a request: problem details (RFC 9457) with a stable `code`. */
export class ApiProblem extends AmigoError {
    status;
    code;
    retryAfter;
    name = "ApiProblem";
    constructor(status, code, detail, 
    /** Seconds after which the request may succeed. */
    retryAfter) {
        super(detail);
        this.status = status;
        this.code = code;
        this.retryAfter = retryAfter;
    }
    static async of(response) {
        const text = await response.text();
        const wait = Number(response.headers.get("Retry-After") ?? NaN);
        let problem = {};
        try {
            problem = JSON.parse(text);
        }
        catch {
            // A proxy answered.
        }
        return new ApiProblem(response.status, problem.code ?? "unknown", problem.detail ?? `The service responded with status ${response.status}.`, Number.isNaN(wait) ? undefined : wait);
    }
}
/** The service could not be reached. */
export class Unreachable extends AmigoError {
    name = "Unreachable";
}
/** The job did not end in time. */
export class JobUnfinished extends AmigoError {
    name = "JobUnfinished";
}
/** A webhook that the service did not sign, or not recently. */
export class ForgedWebhook extends AmigoError {
    name = "ForgedWebhook";
}
