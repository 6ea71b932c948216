/** What a refused or failed call says: the server's own words, and the id by which its log can be searched. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    message: string,
    /** 0: no answer came. */
    readonly status: number,
    readonly code: string | null = null,
    /** JSON path of the field that is wrong. */
    readonly param: string | null = null,
    readonly requestId: string | null = null,
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message);
  }

  static async from(response: Response): Promise<ApiError> {
    const requestId = response.headers.get("x-request-id");
    const retryAfter = Number(response.headers.get("retry-after"));
    let error: { message?: unknown; code?: unknown; param?: unknown } = {};
    try {
      const body = await response.json();
      if (body && typeof body === "object" && body.error && typeof body.error === "object")
        error = body.error;
    } catch {
      // Not ours, a proxy's page for example: the status has to do.
    }
    const text = (value: unknown) => (typeof value === "string" ? value : null);
    return new ApiError(
      text(error.message) ?? `${response.status} ${response.statusText}`.trim(),
      response.status,
      text(error.code),
      text(error.param),
      requestId,
      retryAfter > 0 ? retryAfter : null,
    );
  }
}

export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(error instanceof Error ? error.message : String(error), 0);
}
