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
export declare function send(url: string, call: Call): Promise<Response>;
export declare function sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
