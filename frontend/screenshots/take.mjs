// `npm run screenshots`: the pictures of the README, from a fresh install that was started with `--routes screenshots/routes.toml`.
// It fills the install with a bookshop's documents and calls, through the API like anybody; INSULA_INVITATION is the link that the
// install printed. With --fill it takes no pictures, so that screenshots/history.sql can make a month of the calls; and with
// INSULA_STATE, where it has left who is signed in, it takes pictures of what is there.
import { mkdirSync } from "node:fs";
import { base, launch, open, settled } from "../browser/open.mjs";
import { accept, button, call, goto } from "../e2e/people.mjs";
import { words } from "../e2e/words.mjs";
import { documents, questions } from "./documents.mjs";
import { serve } from "./provider.mjs";

const folder = new URL("../../docs/screenshots/", import.meta.url).pathname;
mkdirSync(folder, { recursive: true });
const provider = await serve(18099);
const browser = await launch();
const say = words("en");
const size = { width: 1440, height: 900 };
const post = (body) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

const page = await open(browser);
await page.setViewportSize(size);
page.setDefaultTimeout(30_000);
const api = async (path, body) => {
  const answer = await call(page, path, body && post(body));
  if (answer.status >= 300) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
};

let store;
if (process.env.INSULA_STATE) {
  await goto(page, "/");
  store = (await api("/v1/vector_stores?limit=100")).data.find(({ name }) => name === "Customer service");
} else {
  await accept({ page, say }, process.env.INSULA_INVITATION ?? "", "Maryam Haddad");
  const session = await api("/v1/insula/session");
  await api(`/v1/organization/projects/${session.tenant.id}`, { name: "Harbour Books" });
  for (const [name, owner] of [
    ["Lighthouse Insurance", "it@lighthouse.example"],
    ["Cairo Clinic", "lab@clinic.example"],
    ["Tidewater Legal", "desk@tidewater.example"],
    ["North Pier Bakery", null],
  ]) {
    const made = await api("/v1/organization/projects", { name });
    const projects = [{ id: made.id, role: "owner" }];
    if (owner) await api("/v1/organization/invites", { email: owner, role: "reader", projects });
    else await api(`/v1/insula/operator/tenants/${made.id}/suspend`, {});
  }
  store = await api("/v1/vector_stores", {
    name: "Customer service",
    description: "What we tell customers.",
  });
  await api("/v1/vector_stores", { name: "Contracts", description: "Publishers and wholesalers." });
  await goto(page, `/vector-stores/${store.id}`);
  await page.locator("input[type=file]").setInputFiles(
    documents.map(({ name, type, content }) => ({
      name,
      mimeType: type,
      buffer: Buffer.isBuffer(content) ? content : Buffer.from(content),
    })),
  );
  for (const { name } of documents)
    await page
      .getByRole("row")
      .filter({ hasText: name })
      .getByText(say("stores:status.completed"), { exact: true })
      .waitFor({ timeout: 90_000 });
  await api("/v1/insula/assistants", {
    name: "shop-help",
    model: "fast",
    instructions: "Answer from the documents, politely and in two sentences.",
    vector_store_ids: [store.id],
  });
  await api("/v1/insula/budgets", {
    name: "Everything",
    subject_kind: "tenant",
    period: "month",
    amount_usd: "2.00",
    alert_at: [80, 100],
  });
  await api("/v1/insula/webhooks", { url: "https://books.example/insula", events: ["budget.alert"] });
  const secrets = [];
  for (const name of ["Website chat", "Mobile app", "Nightly reports"])
    secrets.push((await api("/v1/insula/api_keys", { name })).key);
  const plan = { limits: [{ subject_kind: "tenant", requests_per_minute: 600, concurrency: 20 }] };
  await call(page, "/v1/insula/operator/plans/standard", { ...post(plan), method: "PUT" });
  const models = ["fast", "fast", "fast", "thorough", "shop-help", "shop-help", "insula/extractive"];
  const pick = (list, at) => list[at % list.length];
  for (let n = 0; n < 150; n += 1) {
    const model = pick(models, n * 3 + (n >> 3));
    const content = pick(questions, n * 5 + (n >> 2));
    const parameters = { vector_store_ids: [store.id] };
    const grounded =
      model === "shop-help" ? {} : { data_sources: [{ type: "insula_vector_stores", parameters }] };
    await fetch(`${base}/v1/chat/completions`, {
      ...post({
        model,
        messages: [{ role: "user", content }],
        user: `customer-${(n * 7) % 23}`,
        ...grounded,
      }),
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${pick(secrets, (n >> 1) % 4 ? 0 : n)}`,
      },
    }).then((answer) => answer.text());
  }
  await page.context().storageState({ path: process.env.SAVE_STATE ?? "../.runtime/screenshots-state.json" });
}
if (process.argv.includes("--fill")) {
  await browser.close();
  provider.close();
  process.exit();
}

async function shoot(name, on = page) {
  await on.waitForTimeout(700);
  await on.screenshot({ path: `${folder}${name}.png` });
}
const visit = async (path, on = page) => {
  await on.goto(base + path);
  await settled(on);
};

await visit("/?range=30d");
await shoot("overview");
await visit("/usage?by=model");
await shoot("usage");

await visit(`/playground?${new URLSearchParams({ model: "thorough", stores: JSON.stringify([store.id]) })}`);
await page.getByLabel(say("playground:chat.question")).fill("Can I send a book back after two weeks?");
await button(page, say("playground:chat.send")).click();
const answer = page.getByRole("article").last();
await answer.getByRole("link", { name: say("playground:chat.trace") }).waitFor();
await answer.getByRole("button", { name: /1/ }).first().click();
await page.getByRole("dialog").locator("mark").waitFor();
await shoot("playground");
await page.keyboard.press("Escape");
await page.getByRole("dialog").waitFor({ state: "hidden" });
await answer.getByRole("link", { name: say("playground:chat.trace") }).click();
await page.waitForURL(/\/requests\/.+/);
await settled(page);
await shoot("trace");

await visit(`/vector-stores/${store.id}`);
await page.getByRole("link", { name: "Handbook for the shop floor.md" }).click();
await settled(page);
await shoot("chunks");

await visit("/api-keys");
await button(page, say("apiKeys:create.action")).first().click();
await page.getByRole("dialog").getByLabel(say("apiKeys:create.name")).fill("Search box");
await shoot("api-key");

await visit("/operator/tenants");
await shoot("operator");

const arabic = await open(browser, {
  language: "ar",
  scheme: "dark",
  state: await page.context().storageState(),
});
await arabic.setViewportSize(size);
await visit(`/vector-stores/${store.id}`, arabic);
await shoot("arabic", arabic);
await browser.close();
provider.close();
