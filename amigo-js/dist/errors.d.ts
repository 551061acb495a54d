/** The base class of this package's errors. */
export declare class AmigoError extends Error {
    name: string;
}
/** The service rejected a request: problem details (RFC 9457) with a stable `code`. */
export declare class ApiProblem extends AmigoError {
    readonly status: number;
    readonly code: string;
    /** Seconds after which the request may succeed. */
    readonly retryAfter: number | undefined;
    name: string;
    constructor(status: number, code: string, detail: string, 
    /** Seconds after which the request may succeed. */
    retryAfter: number | undefined);
    static of(response: Response): Promise<ApiProblem>;
}
/** The service could not be reached. */
export declare class Unreachable extends AmigoError {
    name: string;
}
/** The job did not end in time. */
export declare class JobUnfinished extends AmigoError {
    name: string;
}
/** A webhook that the service did not sign, or not recently. */
export declare class ForgedWebhook extends AmigoError {
    name: string;
}
