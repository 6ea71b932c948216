import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, expect, test } from "vitest";
import { ApiError } from "./error";

const server = setupServer();
// The client takes hold of `fetch` when it is made: after it was replaced.
server.listen({ onUnhandledRequest: "error" });
const { bodyOf, client, setTenantHeader } = await import("./client");

afterEach(() => {
  server.resetHandlers();
  setTenantHeader(null);
});
afterAll(() => server.close());

const get = () => bodyOf(client.GET("/v1/insula/usage/storage"));
const url = "http://localhost/v1/insula/usage/storage";
const failure = (body: string | object, init: ResponseInit) =>
  http.get(url, () =>
    typeof body === "string" ? new HttpResponse(body, init) : HttpResponse.json(body, init),
  );

test("a refusal carries the server's words, its code and the request's id", async () => {
  const error = { message: "No.", type: "invalid_request_error", code: "nope", param: "x" };
  server.use(failure({ error }, { status: 403, headers: { "x-request-id": "req_1", "retry-after": "7" } }));
  const thrown = await get().catch((cause) => cause);
  expect(thrown).toBeInstanceOf(ApiError);
  expect(thrown).toMatchObject({
    message: "No.",
    status: 403,
    code: "nope",
    param: "x",
    requestId: "req_1",
    retryAfterSeconds: 7,
  });
});

test("what is no answer of ours is an error all the same", async () => {
  server.use(failure("<html>Bad gateway</html>", { status: 502, statusText: "Bad Gateway" }));
  await expect(get()).rejects.toMatchObject({ status: 502, message: "502 Bad Gateway", requestId: null });
  server.use(http.get(url, () => HttpResponse.error()));
  await expect(get()).rejects.toMatchObject({ status: 0, code: "unreachable" });
});

test("each call names the tenant that the tab shows", async () => {
  const seen: (string | null)[] = [];
  server.use(
    http.get(url, ({ request }) => {
      seen.push(request.headers.get("insula-tenant"));
      return HttpResponse.json({});
    }),
  );
  await get();
  setTenantHeader("proj_1");
  await get();
  expect(seen).toEqual([null, "proj_1"]);
});
