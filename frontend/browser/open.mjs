// What the checks in a browser share: Debian's Chromium, languages, themes, sizes.
import { chromium } from "playwright-core";

export const base = process.env.INSULA_URL ?? process.env.INSULA_DASHBOARD ?? "http://127.0.0.1:5173";

export const sizes = { desktop: { width: 1280, height: 860 }, phone: { width: 360, height: 740 } };

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
}

/** A page in a language, a theme and a size, as somebody finds it who has chosen them before. */
export async function open(browser, { language = "en", scheme = "light", size = "desktop", state } = {}) {
  const context = await browser.newContext({
    viewport: sizes[size],
    locale: language === "ar" ? "ar" : "en-GB",
    timezoneId: "Africa/Cairo",
    colorScheme: scheme,
    reducedMotion: "reduce",
    // Who is signed in, as playwright keeps it; nobody without.
    storageState: state ?? (process.env.INSULA_STATE || undefined),
  });
  await context.addInitScript(
    ([language, scheme]) => {
      localStorage.setItem("insula.language", language);
      localStorage.setItem("insula.scheme", scheme);
    },
    [language, scheme],
  );
  const page = await context.newPage();
  page.failures = [];
  page.on("pageerror", (error) => page.failures.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of (4|5)\d\d/.test(message.text()))
      page.failures.push(message.text());
  });
  return page;
}

/** The heading is there and nothing is a placeholder any more. */
export async function settled(page) {
  await page.locator("h1").first().waitFor({ timeout: 20_000 });
  await page
    .waitForFunction(() => !document.querySelector(".mantine-Skeleton-root, [aria-busy=true]"), null, {
      timeout: 10_000,
    })
    .catch(() => {});
  await page.waitForTimeout(250);
}
