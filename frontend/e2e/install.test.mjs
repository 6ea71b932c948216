// What whoever runs an install does besides: signing in through the provider, taking the data along, retrying what has failed, and
// an access that runs out. INSULA_URL is where the install is; its provider vouches for the first operator, one job is dead
// there, and accesses whose reason says "briefly" are over within seconds.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { base, launch } from "../browser/open.mjs";
import { button, call, goto, somebody } from "./people.mjs";

let browser;
let owner;

before(async () => {
  browser = await launch();
  owner = await somebody(browser);
});
after(() => browser?.close());

test("the provider's button signs an invited person in", async () => {
  const { page, say } = owner;
  await page.goto(`${base}/settings/data`);
  await page.waitForURL((url) => url.pathname === "/sign-in");
  await page.getByRole("link", { name: say("signIn:oidc", { name: "Acme" }) }).click();
  await page.waitForURL((url) => url.origin === new URL(base).origin && url.pathname === "/");
  await page.getByRole("heading", { level: 1 }).waitFor();
  const { body } = await call(page, "/v1/insula/session");
  assert.equal(body.person.email, "owner@localhost");
});

test("everything that a tenant has is taken along as a file", async () => {
  const { page, say } = owner;
  await goto(page, "/settings/data");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    button(page, say("data:export.action")).click(),
  ]);
  assert.match(download.suggestedFilename(), /\.zip$/);
  const bytes = readFileSync(await download.path());
  // A zip begins with a local header, ends with a directory, and names what is in it in between.
  assert.equal(bytes.subarray(0, 4).toString("latin1"), "PK\u0003\u0004");
  assert.equal(bytes.includes("PK\u0005\u0006"), true, "it is whole");
  assert.equal(bytes.includes("manifest.json"), true);
  assert.equal(bytes.includes("notes.txt"), true);
  await page.getByText(say("data:export.begun")).waitFor();
});

test("a job that has failed for good is retried", async () => {
  const { page, say } = owner;
  await goto(page, "/operator/jobs");
  const table = page.getByRole("table", { name: say("operatorJobs:title") });
  await table.getByText("ingest_file").waitFor();
  await button(page, say("operatorJobs:retry")).click();
  await button(page.getByRole("dialog"), say("operatorJobs:retry")).click();
  await page.getByText(say("operatorJobs:none.dead")).waitFor();
  await page.getByText(say("operatorJobs:status.queued"), { exact: true }).click();
  await table.getByText("ingest_file").waitFor();
});

test("an access by break-glass runs out by itself, and the page leaves", async () => {
  const { page, say } = owner;
  await goto(page, "/operator/tenants");
  await page.getByRole("link", { name: "customer" }).click();
  await page.waitForURL(/\/operator\/tenants\/./);
  const tenant = page.url().split("/").at(-1);
  await button(page, say("tenants:more")).click();
  await page.getByRole("menuitem", { name: say("access:open.action") }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(say("access:open.reason")).fill("To look at one thing, briefly");
  await button(dialog, say("access:open.submit")).click();
  const banner = page.getByRole("region", { name: say("access:title") });
  await banner.waitFor();
  // By now it is over in some seconds; a page that is opened knows.
  await page.waitForTimeout(1_000);
  await goto(page, "/vector-stores");
  await banner.waitFor();
  await page.waitForURL((url) => url.pathname === `/operator/tenants/${tenant}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await banner.waitFor({ state: "hidden" });
  assert.equal((await call(page, "/v1/insula/session")).body.access ?? null, null);
});
