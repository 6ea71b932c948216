import { describe, expect, it } from "vitest";
import { strengthOf } from "./password";

describe("strengthOf", () => {
  it("asks for length first", () => {
    expect(strengthOf("", []).score).toBe(0);
    expect(strengthOf("gale7!", []).long).toBe(false);
  });

  it("sees names, rows of keys and repetitions", () => {
    expect(strengthOf("maryam likes tea", ["maryam@example.com"]).foreign).toBe(false);
    expect(strengthOf("my insula login", []).foreign).toBe(false);
    expect(strengthOf("qwertyuiop!", []).varied).toBe(false);
    expect(strengthOf("aaaaaaaaaaaa", []).varied).toBe(false);
    expect(strengthOf("password1234", []).varied).toBe(false);
  });

  it("likes several words", () => {
    expect(strengthOf("copper lantern drifts", []).score).toBe(4);
    expect(strengthOf("فانوس نحاسي بعيد", []).score).toBe(4);
    expect(strengthOf("tharnwebix", []).score).toBe(3);
  });
});
