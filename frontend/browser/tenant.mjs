// `npm run browser`: what a tenant does, in a real browser against a real server. Needs a dashboard that is signed in, as
// `INSULA_KEY=… npm run dev` is, or `INSULA_DASHBOARD=` with `INSULA_EMAIL` and `INSULA_PASSWORD`.
import assert from "node:assert/strict";
import { base, launch, open, settled } from "./open.mjs";

const browser = await launch();
const page = await open(browser);
const name = `check ${Date.now().toString(36)}`;

async function step(what, act) {
  const began = Date.now();
  await act();
  console.log(`ok  ${what} (${Date.now() - began} ms)`);
}
const go = async (path) => {
  await page.goto(base + path);
  await settled(page);
};
const button = (label) => page.getByRole("button", { name: label, exact: true });

try {
  if (process.env.INSULA_EMAIL) {
    await step("signs in, and comes to where it was going", async () => {
      await page.goto(`${base}/usage`);
      await page.getByLabel("Email").fill(process.env.INSULA_EMAIL);
      await page.getByLabel("Password", { exact: true }).fill(process.env.INSULA_PASSWORD ?? "");
      await button("Sign in").click();
      await page.waitForURL("**/usage");
    });
  }

  await step("creates a key, sees it once, and revokes it", async () => {
    await go("/api-keys");
    await button("Create key").click();
    await page.getByLabel("Name").fill(name);
    await page.getByRole("dialog").getByRole("button", { name: "Create key" }).click();
    const secret = page.getByRole("dialog").getByText(/^isk_/);
    await secret.waitFor();
    await page.keyboard.press("Escape");
    assert.ok(await secret.isVisible(), "the secret does not go away by accident");
    assert.ok(await button("Done").isDisabled());
    await page.getByLabel("I have saved it").check();
    await button("Done").click();
    await page.getByRole("row").filter({ hasText: name }).getByRole("button").click();
    await page.getByRole("menuitem", { name: "Revoke" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("row").filter({ hasText: name }).getByText("Revoked").waitFor();
  });

  await step("creates a vector store", async () => {
    await go("/vector-stores");
    await button("Create vector store").first().click();
    await page.getByLabel("Name").fill(name);
    await page.getByRole("dialog").getByRole("button", { name: "Create vector store" }).click();
    await page.waitForURL("**/vector-stores/vs_*");
  });

  await step("uploads a file and watches it become searchable", async () => {
    const text =
      "# Lighthouses\n\nThe lamp of the northern lighthouse is lit by whale oil, and its keeper is called Yara.\n";
    await page
      .locator("input[type=file]")
      .setInputFiles({ name: "lighthouse.md", mimeType: "text/markdown", buffer: Buffer.from(text) });
    const row = page.getByRole("row").filter({ hasText: "lighthouse.md" });
    await row.getByText("Ready").waitFor({ timeout: 30_000 });
  });

  await step("gives it an attribute", async () => {
    await page.getByRole("button", { name: "Actions for lighthouse.md" }).click();
    await page.getByRole("menuitem", { name: "Attributes" }).click();
    await button("Add attribute").click();
    await page.getByLabel("Name").fill("topic");
    await page.getByLabel("Value").fill("sea");
    await button("Save").click();
    await page.getByText("topic: sea").waitFor();
  });

  await step("corrects a passage", async () => {
    await page.getByRole("link", { name: "lighthouse.md" }).click();
    await button("Edit").first().click();
    await page
      .getByLabel("Text of the passage")
      .fill("The keeper of the northern lighthouse is called Omar.");
    await button("Save and re-index").click();
    await page.getByText("Saved. The passage is found by its new text.").waitFor();
  });

  await step("finds it with a filter, and sees why", async () => {
    await go("/playground?mode=search");
    await page.getByRole("combobox", { name: "Vector store" }).click();
    await page.getByRole("option", { name }).click();
    await page.getByLabel("Question").fill("Who keeps the lighthouse?");
    await button("Add a filter").click();
    await page.getByLabel("Attribute").fill("topic");
    await page.getByLabel("Value").fill("sea");
    await button("Search").click();
    await page.getByText("is called Omar.").waitFor();
    await page.getByText(/^Exact:/).waitFor();
  });

  await step("asks, opens the citation, and follows the answer to its trace", async () => {
    await go("/playground");
    await page.getByRole("combobox", { name: "Model or assistant" }).click();
    await page.getByRole("option", { name: "insula/extractive" }).click();
    await page.getByRole("combobox", { name: "Vector stores" }).click();
    await page.getByRole("option", { name }).click();
    await page.keyboard.press("Escape");
    await page.getByLabel("Your question").fill("Who is the keeper of the northern lighthouse?");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Source 1: lighthouse.md" }).click();
    await page.getByRole("dialog").locator("mark").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Trace" }).click();
    await page.waitForURL("**/requests/req_*");
    await page.getByText("insula/extractive").first().waitFor();
  });

  await step("takes the call along as code, without a real key", async () => {
    await go("/playground");
    await button("Copy as code").click();
    await page.getByRole("dialog").getByText("isk_YOUR_API_KEY").first().waitFor();
  });

  await step("deletes the store after typing its name", async () => {
    await go("/vector-stores");
    await page.getByRole("link", { name }).click();
    await button("Actions for this store").click();
    await page.getByRole("menuitem", { name: "Delete store" }).click();
    assert.ok(await page.getByRole("dialog").getByRole("button", { name: "Delete store" }).isDisabled());
    await page.getByLabel(`Type ${name} to confirm`).fill(name);
    await page.getByRole("dialog").getByRole("button", { name: "Delete store" }).click();
    await page.waitForURL("**/vector-stores");
  });

  await step("an id that is none is an error with its request id", async () => {
    await go("/vector-stores/vs_00000000000000000000000000000000");
    await page.getByRole("alert").getByText(/^req_/).waitFor();
  });

  await step("switches to Arabic and back without losing the page", async () => {
    await go("/usage?range=7d");
    await button("Language").click();
    await page.getByRole("menuitem", { name: "العربية" }).click();
    await page.getByRole("heading", { name: "الاستهلاك" }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.dir), "rtl");
    await button("اللغة").click();
    await page.getByRole("menuitem", { name: "English" }).click();
    await page.getByRole("heading", { name: "Usage" }).waitFor();
    assert.match(page.url(), /range=7d/);
  });

  assert.deepEqual(page.failures, []);
} catch (error) {
  await page
    .screenshot({ path: process.env.LOOK ? `${process.env.LOOK}/failed.png` : "failed.png" })
    .catch(() => {});
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
}
