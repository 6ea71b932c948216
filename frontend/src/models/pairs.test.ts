import { expect, test } from "vitest";
import { numbersOf, pairsOf } from "./pairs";

test("lines of names and values, with either sign and any space", () => {
  expect(pairsOf("epochs = 20\n\n loss: log=loss \nnothing")).toEqual({
    pairs: { epochs: "20", loss: "log=loss" },
    wrong: ["nothing"],
  });
});

test("what should be a number and is not, is told", () => {
  expect(numbersOf("accuracy = 0.97\nf1: high\nbig=1e400")).toEqual({
    pairs: { accuracy: 0.97 },
    wrong: ["f1 = high", "big = 1e400"],
  });
});
