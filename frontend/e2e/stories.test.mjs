// `npm run e2e`: what people do, in Chromium, against a real server. INSULA_URL is where it is, INSULA_INVITATION the link that
// a fresh install prints for whoever is to run it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { base, launch, open } from "../browser/open.mjs";
import { fixed } from "./pages.mjs";
import { pdf } from "./pdf.mjs";
import { accept, button, call, goto, password, signIn, somebody, takeSecret } from "./people.mjs";
import { walk } from "./walk.mjs";

const invitation = process.env.INSULA_INVITATION ?? "";
// Names of a run are its own: a second one on the same install finds nothing taken.
const run = Date.now().toString(36);
const viewerEmail = `viewer-${run}@example.com`;
const customer = `Customer ${run}`;

let browser;
let owner;
let ownerEmail;
let state;
let viewerState;
let viewerLink;
let key;
let storeId;
let omar;

// Each story goes on where the one before has ended: after one that failed, the rest would only wait.
let broken = false;
const story = (name, tell) =>
  test(name, async (context) => {
    if (broken) return context.skip("a story before it failed");
    broken = true;
    await tell();
    broken = false;
  });

before(async () => {
  assert.notEqual(invitation, "", "INSULA_INVITATION is the link that a fresh install prints");
  browser = await launch();
  owner = await somebody(browser);
});
after(() => browser?.close());

const post = (body) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

story("the first sign-in: a weak password is refused, a good one opens the dashboard", async () => {
  const { page, say } = owner;
  await page.goto(`${base}/accept-invitation#${invitation.split("#").at(-1)}`);
  await page.getByLabel(say("signIn:invitation.name")).fill("Maryam Haddad");
  ownerEmail = await page.getByLabel(say("signIn:email")).inputValue();
  const field = page.getByLabel(say("signIn:invitation.password"));
  await field.fill("password1234");
  await button(page, say("signIn:invitation.accept")).click();
  await page.locator("[aria-invalid=true]").waitFor();
  await field.fill(password);
  await button(page, say("signIn:invitation.accept")).click();
  await page.waitForURL((url) => url.pathname === "/");
  await page.getByRole("heading", { level: 1 }).waitFor();
});

story("signing out and in again leads back to where one was", async () => {
  const { page, say } = owner;
  await goto(page, "/account");
  await button(page.locator("header"), say("account:signOut")).click();
  await page.waitForURL((url) => url.pathname === "/sign-in");
  await page.goto(`${base}/members`);
  await page.waitForURL((url) => url.pathname === "/sign-in" && url.searchParams.get("next") === "/members");
  await page.getByLabel(say("signIn:email")).fill(ownerEmail);
  await page.getByLabel(say("signIn:password"), { exact: true }).fill("not my password");
  await button(page, say("signIn:submit")).click();
  await page.getByText(say("signIn:invalid")).waitFor();
  await page.getByLabel(say("signIn:password"), { exact: true }).fill(password);
  await button(page, say("signIn:submit")).click();
  await page.waitForURL((url) => url.pathname === "/members");
  state = await page.context().storageState();
});

story("an owner invites a viewer, and the link is shown once", async () => {
  const { page, say } = owner;
  await goto(page, "/members");
  await button(page, say("members:invite.action")).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(say("members:invite.email")).fill(viewerEmail);
  await dialog.getByRole("radio", { name: say("shell:role.viewer") }).check();
  await button(dialog, say("members:invite.submit")).click();
  await page.getByText(say("members:link.title", { email: viewerEmail })).waitFor();
  viewerLink = await takeSecret(owner);
  assert.match(viewerLink, /\/accept-invitation#iit_\w+$/);
  await page
    .getByRole("table", { name: say("members:open") })
    .getByText(viewerEmail)
    .waitFor();
});

story("a key is made, is shown once, and works", async () => {
  const { page, say } = owner;
  await goto(page, "/api-keys");
  await button(page, say("apiKeys:create.action")).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(say("apiKeys:create.name")).fill(`Website ${run}`);
  await button(dialog, say("apiKeys:create.submit")).click();
  await page.getByText(say("apiKeys:secret.title", { name: `Website ${run}` })).waitFor();
  key = await takeSecret(owner);
  const answer = await fetch(`${base}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(answer.status, 200);
});

story("a PDF is uploaded and becomes searchable", async () => {
  const { page, say } = owner;
  await goto(page, "/vector-stores");
  await button(page, say("stores:form.create")).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(say("stores:form.name")).fill(`Harbour ${run}`);
  await button(dialog, say("stores:form.create")).click();
  await page.waitForURL(/\/vector-stores\/vs_/);
  storeId = new URL(page.url()).pathname.split("/")[2];
  await page.locator("input[type=file]").setInputFiles({
    name: `harbour-${run}.pdf`,
    mimeType: "application/pdf",
    buffer: pdf([
      "The harbour office opens at seven in the morning and closes at four.",
      "Ships that stay over night pay a fee of ninety dollars.",
      "The lighthouse was built in 1874 and is kept by two people.",
    ]),
  });
  const row = page.getByRole("row").filter({ hasText: `harbour-${run}.pdf` });
  await row.getByText(say("stores:status.completed"), { exact: true }).waitFor({ timeout: 60_000 });
});

story("a question is answered with a citation that opens the passage", async () => {
  const { page, say } = owner;
  const search = new URLSearchParams({
    model: "insula/extractive",
    stores: JSON.stringify([storeId]),
  });
  await goto(page, `/playground?${search}`);
  await page.getByLabel(say("playground:chat.question")).fill("When does the harbour office open?");
  await button(page, say("playground:chat.send")).click();
  const answer = page.getByRole("article").last();
  await answer.getByText(/seven in the morning/).waitFor({ timeout: 60_000 });
  const source = say("playground:chat.source", { number: 1, name: `harbour-${run}.pdf` });
  await answer.getByRole("button", { name: source }).first().click();
  await page
    .getByRole("dialog")
    .getByText(/lighthouse was built/)
    .first()
    .waitFor();
});

story("that very request is in the list, with its cost and its trace", async () => {
  const { page, say } = owner;
  await goto(page, "/requests");
  const row = page
    .getByRole("table", { name: say("requests:title") })
    .getByRole("row")
    .filter({ hasText: "insula/extractive" })
    .first();
  await row.getByText("$").waitFor();
  await row.getByRole("link").click();
  await page.waitForURL(/\/requests\/.+/);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.getByText(say("requests:column.cost"), { exact: true }).first().waitFor();
});

story("a model of one's own is uploaded, activated, asked, and rolled back", async () => {
  const { page, say } = owner;
  await goto(page, "/models");
  await button(page, say("models:form.create")).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(say("models:form.name")).fill(`flowers-${run}`);
  await button(dialog, say("models:form.create")).click();
  await page.waitForURL(/\/models\/flowers-/);
  const upload = async (accuracy) => {
    await button(page, say("models:upload.action")).first().click();
    await dialog.locator("input[type=file]").first().setInputFiles("../tests/models/linear.onnx");
    await dialog.getByLabel(say("models:upload.metrics")).fill(`accuracy = ${accuracy}`);
    await dialog
      .getByLabel(say("models:upload.columns"))
      .fill("sepal length\nsepal width\npetal length\npetal width");
    await dialog.getByLabel(say("models:upload.labels")).fill("setosa\nversicolor\nvirginica");
    await button(dialog, say("models:upload.action")).click();
    await dialog.waitFor({ state: "hidden" });
  };
  const act = async (version, name) => {
    await page.getByRole("button", { name: say("models:actionsOf", { version }) }).click();
    await page.getByRole("menuitem", { name }).click();
    await button(dialog, name).click();
    await dialog.waitFor({ state: "hidden" });
  };
  const state = (version) => page.getByText(say("models:state.production", { version })).waitFor();
  await upload(0.91);
  await act("1", say("models:activate.action"));
  await state("1");
  const rows = page.getByLabel(say("models:try.rowsHelp"));
  assert.match(await rows.inputValue(), /"petal width": 0/);
  await rows.fill('[{"sepal length": 6.3, "sepal width": 3.3, "petal length": 6, "petal width": 2.5}]');
  await button(page, say("models:try.action")).click();
  await page.getByText("virginica", { exact: true }).first().waitFor();
  await upload(0.95);
  await act("2", say("models:canary.action"));
  await button(page, say("models:canary.promote")).click();
  await button(dialog, say("models:canary.promote")).click();
  await state("2");
  await button(page, say("models:rollback.action")).click();
  await button(dialog, say("models:rollback.action")).click();
  await state("1");
  for (const version of ["1", "2"]) await page.getByLabel(say("models:compare.of", { version })).check();
  const compared = page.getByRole("table", { name: say("models:compare.title") });
  await compared.getByText("0.95").waitFor();
});

story("the key is revoked, and the API says 401", async () => {
  const { page, say } = owner;
  await goto(page, "/api-keys");
  await page.getByRole("button", { name: say("apiKeys:actions", { name: `Website ${run}` }) }).click();
  await page.getByRole("menuitem", { name: say("apiKeys:revoke.action") }).click();
  await button(page.getByRole("dialog"), say("apiKeys:revoke.action")).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  // Servers follow within a second.
  await page.waitForTimeout(1_200);
  const answer = await fetch(`${base}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(answer.status, 401);
});

story("the same first steps in Arabic: a viewer sees, and changes nothing", async () => {
  const viewer = await somebody(browser, { language: "ar" });
  const { page, say } = viewer;
  await accept(viewer, viewerLink, "سمير");
  assert.equal(await page.locator("html").getAttribute("dir"), "rtl");
  await goto(page, "/members");
  await page
    .getByRole("table", { name: say("members:title") })
    .getByText(viewerEmail)
    .waitFor();
  const invite = button(page, say("members:invite.action"));
  assert.equal(await invite.getAttribute("aria-disabled"), "true");
  await invite.hover();
  await page.getByRole("tooltip").filter({ hasText: "members.write" }).waitFor();
  await goto(page, "/api-keys");
  const create = button(page, say("apiKeys:create.action")).first();
  assert.equal(await create.getAttribute("aria-disabled"), "true");
  const refused = await call(page, "/v1/insula/invites", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "more@example.com", role: "viewer" }),
  });
  assert.equal(refused.status, 403);
  await goto(page, "/operator/tenants");
  await page.getByText(say("console:denied.title")).waitFor();
  viewerState = await page.context().storageState();
  assert.deepEqual(page.failures, []);
  await page.context().close();
});

story("the operator creates a tenant, suspends it, and lets it in again", async () => {
  const { page, say } = owner;
  await goto(page, "/operator/tenants");
  await button(page, say("tenants:create.action")).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(say("tenants:create.name"), { exact: true }).fill(customer);
  await dialog.getByLabel(say("tenants:create.owner")).fill(`owner-${run}@example.com`);
  await button(dialog, say("tenants:create.submit")).click();
  await page.getByText(say("tenants:create.link", { email: `owner-${run}@example.com` })).waitFor();
  const link = await takeSecret(owner);
  omar = await somebody(browser);
  const tenant = omar;
  await accept(tenant, link, "Omar");
  await tenant.page.getByRole("button", { name: new RegExp(customer) }).waitFor();
  const status = async () => (await call(tenant.page, "/v1/vector_stores")).status;
  assert.equal(await status(), 200);

  await page.getByRole("link", { name: customer }).click();
  await button(page, say("tenants:suspend.action")).click();
  await button(page.getByRole("dialog"), say("tenants:suspend.action")).click();
  await page.getByText(say("tenants:status.suspended"), { exact: true }).waitFor();
  await page.waitForTimeout(1_200);
  assert.equal(await status(), 403);
  await goto(tenant.page, "/vector-stores");
  await tenant.page.getByText(say("console:suspended.title", { name: customer })).waitFor();

  await button(page, say("tenants:resume")).click();
  await page.getByText(say("tenants:status.active"), { exact: true }).waitFor();
  await page.waitForTimeout(1_200);
  assert.equal(await status(), 200);
});

story("another tab that goes over to another tenant takes this one along, and it says so", async () => {
  const { page, say } = owner;
  await goto(page, "/operator/people");
  await button(page, say("people:invite.action")).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(say("people:invite.email")).fill(ownerEmail);
  await dialog.getByRole("combobox", { name: say("people:invite.tenant") }).click();
  await page.getByRole("option", { name: customer }).click();
  await button(dialog, say("people:invite.submit")).click();
  await page.getByText(say("people:invite.link", { email: ownerEmail })).waitFor();
  const link = await takeSecret(owner);
  const home = (await call(page, "/v1/insula/session")).body.tenant;
  await page.goto(`${base}/accept-invitation#${link.split("#").at(-1)}`);
  await page.getByLabel(say("signIn:password"), { exact: true }).fill(password);
  await button(page, say("signIn:invitation.accept")).click();
  await page.waitForURL((url) => url.pathname === "/");
  state = await page.context().storageState();

  await goto(page, "/");
  const other = await page.context().newPage();
  await goto(other, "/");
  const here = (await call(page, "/v1/insula/session")).body.tenant.name;
  const there = here === customer ? home.name : customer;
  await other.getByRole("button", { name: say("shell:switchTenant", { name: here }) }).click();
  await other.getByRole("menuitem", { name: there }).click();
  await other.getByRole("button", { name: say("shell:switchTenant", { name: there }) }).waitFor();
  await page.getByRole("link", { name: say("shell:nav.vectorStores"), exact: true }).click();
  await page.getByText(say("console:switched", { name: there })).waitFor();
  await other.close();
  await call(page, "/v1/insula/session/tenant", post({ tenant_id: home.id }));
  // Of the customer's tenant the operator is no member in the stories after this.
  const { person, tenants } = (await call(page, "/v1/insula/session")).body;
  const joined = tenants.find(({ name }) => name === customer);
  await call(page, `/v1/organization/projects/${joined.id}/users/${person.id}`, { method: "DELETE" });
});

story("the operator looks inside by break-glass; the tenant sees it, and shows it the door", async () => {
  const { page, say } = owner;
  const reason = "You asked why a report is not found (ticket 4711)";
  await goto(page, "/operator/tenants");
  await page.getByRole("link", { name: customer }).click();
  await button(page, say("tenants:more")).click();
  await page.getByRole("menuitem", { name: say("access:open.action") }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(say("access:open.reason")).fill(reason);
  await button(dialog, say("access:open.submit")).click();
  const banner = page.getByRole("region", { name: say("access:title") });
  await banner.getByText(reason).waitFor();
  await goto(page, "/vector-stores");
  await banner.getByText(reason).waitFor();
  const create = button(page, say("stores:form.create")).first();
  assert.equal(await create.getAttribute("aria-disabled"), "true");
  assert.equal((await call(page, "/v1/vector_stores", post({ name: "mine" }))).status, 403);

  await goto(omar.page, "/audit-log/accesses");
  const row = omar.page.getByRole("row").filter({ hasText: reason });
  await row.getByText(say("access:state.open")).last().waitFor();
  await row.getByRole("button").click();
  await button(omar.page.getByRole("dialog"), say("access:end.action")).click();
  await row.getByText(say("access:state.ended")).last().waitFor();
  await goto(omar.page, "/audit-log");
  await omar.page
    .getByRole("button", { name: say("audit:event.operator_access_used") })
    .first()
    .waitFor();
  await omar.page
    .getByRole("button", { name: say("audit:event.operator_access_ended") })
    .first()
    .waitFor();

  await page.waitForTimeout(1_200);
  await goto(page, "/account");
  await banner.waitFor({ state: "hidden" });
  const tenants = (await call(page, "/v1/insula/session")).body.tenants;
  await call(page, "/v1/insula/session/tenant", post({ tenant_id: tenants[0].id }));
});

const resetPassword = "another lantern drifts";
story("a lost password: a link that the operator makes, once, and every other session is out", async () => {
  const { page, say } = owner;
  await goto(page, "/operator/people");
  await page.getByRole("button", { name: say("people:actions", { name: "Omar" }) }).click();
  await page.getByRole("menuitem", { name: say("people:reset.action") }).click();
  await button(page.getByRole("dialog"), say("people:reset.submit")).click();
  await page.getByText(say("people:reset.link", { email: `owner-${run}@example.com` })).waitFor();
  const link = await takeSecret(owner);
  const again = await somebody(browser);
  const follow = () => again.page.goto(`${base}/reset-password#${link.split("#").at(-1)}`);
  await follow();
  await again.page.getByLabel(say("signIn:reset.password")).fill(resetPassword);
  await button(again.page, say("signIn:reset.submit")).click();
  await again.page.waitForURL((url) => url.pathname === "/");
  assert.equal((await call(omar.page, "/v1/insula/session")).status, 401);
  await omar.page.context().close();
  omar = again;
  const stranger = await somebody(browser);
  await stranger.page.goto(`${base}/reset-password#${link.split("#").at(-1)}`);
  await stranger.page.getByText(say("signIn:reset.gone")).waitFor();
  await stranger.page.context().close();
});

story("a person changes its name and its password", async () => {
  const { page, say } = omar;
  await goto(page, "/account");
  await page.getByLabel(say("account:profile.name")).fill("Omar Said");
  await button(page, say("account:save")).click();
  await page.getByRole("button", { name: say("shell:account", { name: "Omar Said" }) }).waitFor();
  await page.getByLabel(say("account:password.current")).fill(resetPassword);
  await page.getByLabel(say("account:password.new"), { exact: true }).fill(password);
  await button(page, say("account:password.change")).click();
  await page.getByText(say("account:password.changed")).waitFor();
});

story("the operator erases the tenant, and has a receipt", async () => {
  const { page, say } = owner;
  await goto(page, "/operator/tenants");
  await page.getByRole("link", { name: customer }).click();
  const ask = async () => {
    await button(page, say("tenants:more")).click();
    await page.getByRole("menuitem", { name: say("erasures:erase.action") }).click();
  };
  await ask();
  const dialog = page.getByRole("dialog");
  await button(dialog, say("tenants:suspend.action")).click();
  const submit = button(dialog, say("erasures:erase.submit"));
  await submit.waitFor();
  assert.equal(await submit.isDisabled(), true);
  const phrase = customer.toLowerCase().replaceAll(" ", "-");
  await dialog.getByLabel(say("common:typeToConfirm", { phrase })).fill(phrase);
  await submit.click();
  await page.waitForURL(/\/operator\/erasures\/erasure_/);
  await page.getByText(say("erasures:status.completed"), { exact: true }).waitFor({ timeout: 60_000 });
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    button(page, say("erasures:download")).click(),
  ]);
  assert.match(download.suggestedFilename(), /^insula-erasure_\w+\.json$/);
  assert.equal((await call(omar.page, "/v1/vector_stores")).status >= 400, true);
  await omar.page.context().close();
});

story("a webhook is made, so that its page has something to show", async () => {
  const { status } = await call(owner.page, "/v1/insula/webhooks", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ url: "https://example.com/insula", events: ["budget.alert"] }),
  });
  assert.equal(status, 200);
});

story("signing in too often is slowed down, and the wait is counted", async () => {
  const stranger = await somebody(browser);
  const { page, say } = stranger;
  const submit = button(page, say("signIn:submit"));
  // The wait doubles with every attempt after it. One of some seconds is long enough to be seen on a slow machine.
  const attempt = async (click) => {
    const [answer] = await Promise.all([
      page.waitForResponse(
        (response) => response.url().endsWith("/v1/insula/session") && response.status() >= 400,
      ),
      click(),
    ]);
    return Number(answer.headers()["retry-after"] ?? 0);
  };
  let wait = await attempt(() => signIn(stranger, `nobody-${run}@example.com`, "no such person"));
  for (let attempts = 1; attempts < 16 && wait < 3; attempts += 1) wait = await attempt(() => submit.click());
  assert.ok(wait >= 3, `a wait of ${wait} seconds`);
  await page
    .getByRole("alert")
    .getByText(/\b[234]\b/)
    .waitFor();
  assert.equal(await submit.isDisabled(), true);
  await page.getByRole("alert").getByText(say("signIn:again")).waitFor();
  assert.equal(await submit.isDisabled(), false);
  await page.context().close();
});

// Each page in both languages, both sizes and both themes. Two walks at a time: a browser is busy with one page on one core.
const views = ["en", "ar"].flatMap((language) => ["desktop", "phone"].map((size) => ({ language, size })));
const skipped = process.env.INSULA_E2E === "stories" && "INSULA_E2E=stories";
test("every page: nothing that axe finds, nothing too wide", { concurrency: 2, skip: skipped }, (suite) => {
  if (!state) return suite.skip("nobody is signed in");
  return Promise.all(
    views.map((view) =>
      suite.test(`${view.language}, ${view.size}, light and dark`, async () => {
        assert.deepEqual(await walk(browser, view, state), []);
      }),
    ),
  );
});

test("every page as a viewer sees it: no error that is not about its role", {
  skip: skipped,
}, async (context) => {
  if (!viewerState) return context.skip("there is no viewer");
  const page = await open(browser, { state: viewerState });
  const broken = [];
  page.on("response", (response) => {
    if (response.status() >= 500) broken.push(`${response.status()} ${response.url()}`);
  });
  for (const path of fixed) await goto(page, path);
  assert.deepEqual([...broken, ...page.failures], []);
  await page.context().close();
});
