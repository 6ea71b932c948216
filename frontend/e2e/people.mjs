// What the stories do again and again.
import assert from "node:assert/strict";
import { base, open } from "../browser/open.mjs";
import { words } from "./words.mjs";

export const password = "copper lantern drifts";

/** A browser of somebody's own, and the words of its language. */
export async function somebody(browser, view = {}) {
  const page = await open(browser, view);
  page.setDefaultTimeout(20_000);
  return { page, say: words(view.language ?? "en") };
}

export const button = (page, name) => page.getByRole("button", { name, exact: true });

export async function goto(page, path) {
  await page.goto(base + path);
  await page.locator("h1, h2").first().waitFor();
}

/** Follows an invitation and chooses a password; then the overview is there. */
export async function accept({ page, say }, link, name) {
  await page.goto(`${base}/accept-invitation#${link.split("#").at(-1)}`);
  await page.getByLabel(say("signIn:invitation.name")).fill(name);
  await page.getByLabel(say("signIn:invitation.password")).fill(password);
  await button(page, say("signIn:invitation.accept")).click();
  await page.waitForURL((url) => url.pathname === "/");
}

export async function signIn({ page, say }, email, secret = password) {
  await goto(page, "/sign-in");
  await page.getByLabel(say("signIn:email")).fill(email);
  await page.getByLabel(say("signIn:password"), { exact: true }).fill(secret);
  await button(page, say("signIn:submit")).click();
}

/** Reads what is shown once, and says that it is saved. */
export async function takeSecret({ page, say }) {
  const dialog = page.getByRole("dialog");
  const secret = (await dialog.locator("code").first().textContent()).trim();
  const done = button(dialog, say("common:done"));
  assert.equal(await done.isDisabled(), true, "the dialog does not close before the secret is saved");
  await dialog.getByLabel(say("common:secret.saved")).check();
  await done.click();
  await dialog.waitFor({ state: "hidden" });
  return secret;
}

/** A call of the page's own origin, with its cookie. */
export const call = (page, path, init) =>
  page.evaluate(
    async ([path, init]) => {
      const response = await fetch(path, init);
      return { status: response.status, body: await response.json() };
    },
    [path, init],
  );
