import { expect, it } from "vitest";
import { readUserAgent } from "./userAgent";

it("names browser and system", () => {
  const edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0";
  expect(readUserAgent(edge)).toEqual({ browser: "Edge", system: "Windows" });
  const phone =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1";
  expect(readUserAgent(phone)).toEqual({ browser: "Safari", system: "iOS" });
  expect(readUserAgent("curl/8.1")).toBeNull();
  expect(readUserAgent(null)).toBeNull();
});
